/**
 * What authorization reads of a call besides its caller, host, port, method
 * and path: whoever keeps calls to decide them again has to keep that, too.
 *
 * @module
 */
import type { Condition } from "./access-condition.ts";
import type { Authorization, AuthorizationRule } from "./authorize.ts";

/** The attributes that the rules of an authorization name. */
export interface Reads {
  /** Header fields, in lower case. */
  readonly headers: ReadonlySet<string>;
  /** Claims of end users, each by the way to it. */
  readonly claims: readonly (readonly string[])[];
  /** `issuer/subject` of end users. */
  readonly users: boolean;
  readonly audiences: boolean;
  readonly presenters: boolean;
  readonly addresses: boolean;
}

/** By identity, like the index of rules: snapshots are replaced whole. */
const known = new WeakMap<Authorization, Reads>();

/**
 * All that any rule may read: rules that tell (AUDIT), ask (CUSTOM) or are on
 * trial count like those that decide.
 */
export function readsOf(authorization: Authorization): Reads {
  const found = known.get(authorization);
  if (found !== undefined) return found;
  const reads = collect(conditionsOf(authorization), headersOfIntentions(authorization));
  known.set(authorization, reads);
  return reads;
}

/** A header field as policies name it. */
export function headerAttribute(name: string): string {
  return `request.headers[${name}]`;
}

/** A claim as policies name it. */
export function claimAttribute(path: readonly string[]): string {
  return `request.auth.claims${path.map((name) => `[${name}]`).join("")}`;
}

function conditionsOf(authorization: Authorization): readonly Condition[] {
  const { deny, allow, custom = [], audit = [], trial } = authorization;
  const lists: readonly (readonly AuthorizationRule[])[] = [
    deny,
    allow ?? [],
    ...custom.map(({ rules }) => rules),
    audit,
    trial?.deny ?? [],
    trial?.allow ?? [],
  ];
  return lists.flatMap((rules) =>
    rules.flatMap(({ from, when = [] }) => [...from.flatMap(({ also = [] }) => also), ...when]),
  );
}

function headersOfIntentions({ intentions = [] }: Authorization): readonly string[] {
  return intentions.flatMap(({ permissions }) =>
    permissions.flatMap(({ headers }) => headers.map(({ name }) => name)),
  );
}

function collect(conditions: readonly Condition[], more: readonly string[]): Reads {
  const names = conditions.flatMap((condition) => (condition.kind === "header" ? [condition.name] : []));
  const paths = conditions.flatMap((condition) => (condition.kind === "claim" ? [condition.path] : []));
  const has = (...kinds: readonly Condition["kind"][]): boolean =>
    conditions.some(({ kind }) => kinds.includes(kind));
  return {
    headers: new Set([...names, ...more]),
    claims: [...new Map(paths.map((path) => [claimAttribute(path), path])).values()],
    users: has("user"),
    audiences: has("audience"),
    presenters: has("presenter"),
    addresses: has("source-address", "remote-address"),
  };
}
