/**
 * The split of a route between weighted backends: how it is read from a
 * resource, named on a command line, and changed.
 *
 * @module
 */
import { z } from "zod";
import { EXIT, Failure } from "./failure.ts";
import { spread } from "./weights.ts";

const backendRef = z.looseObject({
  name: z.string(),
  namespace: z.string().optional(),
  port: z.number().optional(),
  subset: z.string().optional(),
  weight: z.number().default(1),
});

/** Only what a canary touches; the rest of the specification stays as it is. */
const routeSpec = z.looseObject({
  rules: z.array(
    z.looseObject({ name: z.string().optional(), backendRefs: z.array(backendRef).default([]) }),
  ),
});

export type RouteSpec = z.infer<typeof routeSpec>;
export type BackendRef = z.infer<typeof backendRef>;

/** Reads the specification of an HTTPRoute or GRPCRoute; a failure for anything else. */
export function parseSplit(spec: unknown): RouteSpec {
  const parsed = routeSpec.safeParse(spec);
  if (parsed.success) return parsed.data;
  throw new Failure(EXIT.usage, ["This kind of resource has no rules with weighted backends."]);
}

/** `reviews-v2:9080`, `reviews/v2:9080` for a subset, `reviews.other:9080` for a service of another namespace. */
export function backendName({ name, namespace, port, subset }: BackendRef): string {
  const place = namespace === undefined ? "" : `.${namespace}`;
  return `${name}${place}${subset === undefined ? "" : `/${subset}`}${port === undefined ? "" : `:${port}`}`;
}

/** How a rule is called: by its name, else by its place. */
export function ruleName({ rules }: RouteSpec, index: number): string {
  return rules[index]?.name ?? String(index);
}

/** One rule, and the place in it of the backend that is meant. */
interface Spot {
  readonly rule: number;
  readonly backend: number;
}

/** Which backend gets how much of the requests of which rules. */
export interface Wish {
  /** As `backendName` writes it; the port may be left out. */
  readonly backend: string;
  /** Name or index; every rule that has the backend unless given. */
  readonly rule: string | undefined;
  readonly percent: number;
}

/**
 * The specification with the wish fulfilled. `before` are earlier ones, the
 * latest first: where the other backends have no weights that could be kept
 * in proportion, the last that they had are.
 */
export function change(spec: RouteSpec, wish: Wish, before: readonly RouteSpec[]): RouteSpec {
  const weights = new Map(
    find(spec, wish).map((spot) => [spot.rule, weightsFor(spec, spot, { wish, before })]),
  );
  const rules = spec.rules.map((rule, index) => {
    const changed = weights.get(index);
    if (changed === undefined) return rule;
    const backendRefs = rule.backendRefs.map((ref, at) => ({ ...ref, weight: changed[at] ?? ref.weight }));
    return { ...rule, backendRefs };
  });
  return { ...spec, rules };
}

/** Whether the wish leaves a share to backends that have none now: then it takes earlier weights to fulfil it. */
export function needsHistory(spec: RouteSpec, wish: Wish): boolean {
  return wish.percent < 100 && find(spec, wish).some((spot) => othersOf(spec, spot) === 0);
}

function weightsFor(
  spec: RouteSpec,
  spot: Spot,
  { wish, before }: { readonly wish: Wish; readonly before: readonly RouteSpec[] },
): readonly number[] {
  const names = namesOf(spec, spot.rule);
  const earlier = before.find(
    (old) => namesOf(old, spot.rule).join() === names.join() && othersOf(old, spot) > 0,
  );
  const source = othersOf(spec, spot) > 0 ? spec : earlier;
  const proportions = (source ?? spec).rules[spot.rule]?.backendRefs.map(({ weight }) => weight) ?? [];
  const weights = spread(proportions, spot.backend, wish.percent);
  if (weights !== null) return weights;
  throw new Failure(EXIT.usage, [
    `Rule ${ruleName(spec, spot.rule)} has no other backend that could take the rest.`,
    "Add one to its backendRefs, or give one a weight: selvedge canary set … --to OTHER --weight N.",
  ]);
}

function namesOf(spec: RouteSpec, rule: number): readonly string[] {
  return spec.rules[rule]?.backendRefs.map(backendName) ?? [];
}

function othersOf(spec: RouteSpec, { rule, backend }: Spot): number {
  const refs = spec.rules[rule]?.backendRefs ?? [];
  return refs.reduce((sum, { weight }, at) => (at === backend ? sum : sum + weight), 0);
}

/** Where the wish applies: at least one rule, and in each exactly one backend. */
function find(spec: RouteSpec, { backend, rule }: Wish): readonly Spot[] {
  const rules = spec.rules
    .map((_, index) => index)
    .filter((index) => rule === undefined || isRule(spec, index, rule));
  const spots = rules.flatMap((index) => {
    const places = namesOf(spec, index).flatMap((name, at) => (isBackend(name, backend) ? [at] : []));
    if (places.length > 1)
      throw new Failure(EXIT.usage, [
        `Rule ${ruleName(spec, index)} has several backends "${backend}": name the port.`,
      ]);
    return places.map((at) => ({ rule: index, backend: at }));
  });
  if (spots.length > 0) return spots;
  const known = spec.rules.map(
    (_, index) => `  rule ${ruleName(spec, index)}: ${namesOf(spec, index).join(", ")}`,
  );
  const where = rule === undefined ? "No rule of the route" : `No rule "${rule}"`;
  throw new Failure(EXIT.usage, [`${where} has a backend "${backend}". There are:`, ...known]);
}

function isRule(spec: RouteSpec, index: number, wanted: string): boolean {
  return ruleName(spec, index) === wanted || String(index) === wanted;
}

function isBackend(name: string, wanted: string): boolean {
  return name === wanted || name.replace(/:\d+$/, "") === wanted;
}
