/**
 * Finds the first rule that matches among many, without trying those that are
 * for other callers or other paths.
 *
 * @module
 */
import type { AuthorizationInput, AuthorizationRule, OperationMatch, SourceMatch } from "./authorize.ts";

/** Whether a rule matches, asked of a few candidates. */
export type Test = (rule: AuthorizationRule, input: AuthorizationInput) => boolean;

interface Placed {
  readonly rule: AuthorizationRule;
  /** Its place in the list: of several that match, the first decides. */
  readonly place: number;
}

interface RuleIndex {
  /** Rules whose every source names principals in full. */
  readonly byPrincipal: ReadonlyMap<string, readonly Placed[]>;
  /** Others whose every source names namespaces in full. */
  readonly byNamespace: ReadonlyMap<string, readonly Placed[]>;
  /** Others whose every operation has paths below first segments that they name in full. */
  readonly bySegment: ReadonlyMap<string, readonly Placed[]>;
  readonly others: readonly Placed[];
}

/** Below it, trying one after the other is as fast. */
const WORTH_INDEXING = 16;

/** By the list's own identity: snapshots are replaced whole, and their indexes go with them. */
const indexes = new WeakMap<readonly AuthorizationRule[], RuleIndex>();

/** The first rule of the list that matches; `null` when none does. */
export function firstMatch(
  rules: readonly AuthorizationRule[],
  input: AuthorizationInput,
  test: Test,
): AuthorizationRule | null {
  if (rules.length >= WORTH_INDEXING) return firstOf(indexOf(rules), input, test);
  for (const rule of rules) {
    if (test(rule, input)) return rule;
  }
  return null;
}

function firstOf(index: RuleIndex, input: AuthorizationInput, test: Test): AuthorizationRule | null {
  const { caller } = input;
  let best: Placed | null = null;
  if (caller !== null) {
    best = earlier(best, index.byPrincipal.get(caller.principal), input, test);
    best = earlier(best, index.byNamespace.get(caller.namespace), input, test);
  }
  if (index.bySegment.size > 0)
    best = earlier(best, index.bySegment.get(firstSegment(input.path)), input, test);
  return earlier(best, index.others, input, test)?.rule ?? null;
}

function earlier(
  best: Placed | null,
  candidates: readonly Placed[] | undefined,
  input: AuthorizationInput,
  test: Test,
): Placed | null {
  if (candidates === undefined) return best;
  for (const candidate of candidates) {
    if (best !== null && candidate.place > best.place) return best;
    if (test(candidate.rule, input)) return candidate;
  }
  return best;
}

function indexOf(rules: readonly AuthorizationRule[]): RuleIndex {
  const known = indexes.get(rules);
  if (known !== undefined) return known;
  const index = {
    byPrincipal: new Map(),
    byNamespace: new Map(),
    bySegment: new Map(),
    others: [] as Placed[],
  };
  rules.forEach((rule, place) => {
    const placed = { rule, place };
    const principals = keysOf(rule.from, principalsOf);
    const namespaces = principals === null ? keysOf(rule.from, namespacesOf) : null;
    const segments = principals === null && namespaces === null ? keysOf(rule.to, segmentsOf) : null;
    if (principals !== null) addTo(index.byPrincipal, principals, placed);
    else if (namespaces !== null) addTo(index.byNamespace, namespaces, placed);
    else if (segments !== null) addTo(index.bySegment, segments, placed);
    else index.others.push(placed);
  });
  indexes.set(rules, index);
  return index;
}

/** What a rule can be found by; `null` when an alternative would have to be tried for every call. */
function keysOf<Part>(
  parts: readonly Part[],
  keysOfPart: (part: Part) => readonly string[] | null,
): ReadonlySet<string> | null {
  if (parts.length === 0) return null;
  const keys = new Set<string>();
  for (const part of parts) {
    const own = keysOfPart(part);
    if (own === null) return null;
    for (const key of own) keys.add(key);
  }
  return keys;
}

function principalsOf({ principals }: SourceMatch): readonly string[] | null {
  return exactValues(principals);
}

function namespacesOf({ namespaces }: SourceMatch): readonly string[] | null {
  return exactValues(namespaces);
}

function exactValues(list: SourceMatch["principals"]): readonly string[] | null {
  if (list === undefined) return null;
  const values = list.flatMap((match) => (match.kind === "exact" ? [match.value] : []));
  return values.length === list.length ? values : null;
}

function segmentsOf({ paths }: OperationMatch): readonly string[] | null {
  if (paths === undefined) return null;
  const segments = paths.flatMap((match) => {
    if (match.kind === "exact") return [firstSegment(match.value)];
    // A prefix that ends within the first segment is one of many segments.
    return match.kind === "prefix" && match.value.indexOf("/", 1) !== -1 ? [firstSegment(match.value)] : [];
  });
  return segments.length === paths.length ? segments : null;
}

/** Of a path that begins with a slash: up to the second one. */
function firstSegment(path: string): string {
  const slash = path.indexOf("/", 1);
  return slash === -1 ? path : path.slice(0, slash);
}

function addTo(map: Map<string, Placed[]>, keys: ReadonlySet<string>, placed: Placed): void {
  for (const key of keys) {
    const list = map.get(key);
    if (list === undefined) map.set(key, [placed]);
    else list.push(placed);
  }
}
