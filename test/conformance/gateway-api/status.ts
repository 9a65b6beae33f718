/**
 * The suite's checks of status, on what the admin API answers. Each has the
 * meaning of the helper of the same name in Gateway API's `conformance/utils/kubernetes`.
 */
import { at, listOf, type KubeObject } from "./documents.ts";

/** A step of a case, as the runner has it. */
export interface StatusStep {
  readonly check: string;
  readonly args?: readonly unknown[];
  readonly gateway?: string;
  readonly routeKind?: string;
  readonly routes?: readonly string[];
}

/** Finds a resource by kind and `namespace/name`; `null` when there is none. */
export type Find = (kind: string, key: string) => Promise<unknown>;

/** `true`, or what is wrong; `undefined` when the mesh keeps no status of the kind. */
export type Verdict = true | string | undefined;

interface Condition {
  readonly type: string;
  readonly status: string;
  /** `""`: any. */
  readonly reason: string;
}

/** Checks one step. Kinds that the mesh does not have, and checks unknown here, are `undefined`. */
export async function checkStatus(
  step: StatusStep,
  find: Find,
  applied: readonly KubeObject[],
): Promise<Verdict> {
  const args = step.args ?? [];
  if (step.check === "gatewayAndRoutesAccepted") return routesAccepted(step, find);
  if (step.check === "RoutesAndParentMustBeAccepted") return parentAndRoutesAccepted(args, find);
  if (step.check === "NamespacesMustBeReady") return namespacesReady(listOf(args[0]), find, applied);
  const [, kind, rest] =
    /^(Gateway(?!Class)|ListenerSet|HTTPRoute|GRPCRoute|TCPRoute|TLSRoute)(.+)$/.exec(step.check) ?? [];
  if (kind === undefined || rest === undefined || typeof args[0] !== "string") return undefined;
  const resource = await find(kind, args[0]);
  if (resource === null) return isKindThere(kind, applied) ? `${kind} ${args[0]} is not there` : undefined;
  if (at(resource, "status") === undefined) return undefined;
  return kind.endsWith("Route") ? checkRoute(rest, resource, args) : checkParent(rest, resource, args);
}

/** Whether the mesh was given one of the kind: then its absence is a finding. */
function isKindThere(kind: string, applied: readonly KubeObject[]): boolean {
  return applied.some((object) => object.kind === kind) && kind !== "TCPRoute" && kind !== "TLSRoute";
}

// Gateways and listener sets -------------------------------------------------

function checkParent(rest: string, resource: unknown, args: readonly unknown[]): Verdict {
  const [, first, second] = args;
  switch (rest) {
    case "MustHaveLatestConditions":
      return areLatest(resource, listOf(at(resource, "status", "conditions")));
    case "MustHaveCondition":
      return has(resource, at(resource, "status"), conditionOf(first));
    case "ListenersMustHaveConditions":
      return everyListener(resource, typeof second === "string" ? second : null, listOf(first));
    case "ListenerMustHaveConditions":
      return everyListener(resource, String(first), listOf(second));
    case "StatusMustHaveListeners":
      return sameListeners(resource, listOf(first));
    case "MustHaveZeroRoutes":
      return zeroRoutes(resource);
    case "MustHaveAttachedListeners": {
      const count = at(resource, "status", "attachedListenerSets") ?? 0;
      return count === first ? true : `attachedListenerSets ${String(count)}, want ${String(first)}`;
    }
    default:
      return undefined;
  }
}

function listenersOf(resource: unknown): readonly unknown[] {
  return listOf(at(resource, "status", "listeners"));
}

function everyListener(resource: unknown, name: string | null, wanted: readonly unknown[]): Verdict {
  const listeners = listenersOf(resource).filter(
    (listener) => name === null || at(listener, "name") === name,
  );
  if (listeners.length === 0) return `no status of listener ${name ?? ""}`;
  return firstFlaw(
    listeners.flatMap((listener) =>
      wanted.map((condition) => has(resource, listener, conditionOf(condition))),
    ),
  );
}

function sameListeners(resource: unknown, wanted: readonly unknown[]): Verdict {
  const listeners = listenersOf(resource);
  if (listeners.length !== wanted.length) return `${listeners.length} listeners, want ${wanted.length}`;
  return firstFlaw(wanted.map((one) => sameListener(resource, listeners, one)));
}

function sameListener(resource: unknown, listeners: readonly unknown[], wanted: unknown): Verdict {
  const name = String(at(wanted, "Name"));
  const listener = listeners.find((one) => at(one, "name") === name);
  if (listener === undefined) return `no status of listener ${name}`;
  const routes = at(listener, "attachedRoutes");
  const kinds = listOf(at(listener, "supportedKinds")).map((kind) => String(at(kind, "kind")));
  const wantedKinds = listOf(at(wanted, "SupportedKinds")).map((kind) => String(at(kind, "Kind")));
  return firstFlaw([
    routes === at(wanted, "AttachedRoutes") ||
      `${name}: attachedRoutes ${String(routes)}, want ${String(at(wanted, "AttachedRoutes"))}`,
    // The suite asks for these kinds, whatever others there are.
    wantedKinds.every((kind) => kinds.includes(kind)) && (wantedKinds.length > 0 || kinds.length === 0)
      ? true
      : `${name}: supportedKinds ${kinds.join()}, want ${wantedKinds.join()}`,
    ...listOf(at(wanted, "Conditions")).map((condition) => has(resource, listener, conditionOf(condition))),
  ]);
}

function zeroRoutes(resource: unknown): Verdict {
  const attached = listenersOf(resource).filter((listener) => at(listener, "attachedRoutes") !== 0);
  return attached.length === 0 ? true : `${attached.length} listeners have routes, want none`;
}

async function namespacesReady(
  namespaces: readonly unknown[],
  find: Find,
  applied: readonly KubeObject[],
): Promise<Verdict> {
  const gateways = applied.filter(
    ({ kind, metadata }) => kind === "Gateway" && namespaces.includes(metadata.namespace),
  );
  const verdicts = await Promise.all(gateways.map((gateway) => gatewayReady(gateway, find)));
  return verdicts.includes(undefined) ? undefined : firstFlaw(verdicts);
}

async function gatewayReady({ metadata }: KubeObject, find: Find): Promise<Verdict> {
  const gateway = await find("Gateway", `${metadata.namespace ?? ""}/${metadata.name}`);
  if (gateway === null) return `Gateway ${metadata.name} is not there`;
  if (at(gateway, "status") === undefined) return undefined;
  const flaw = firstFlaw([
    areLatest(gateway, listOf(at(gateway, "status", "conditions"))),
    ...["Accepted", "Programmed"].map((type) =>
      has(gateway, at(gateway, "status"), { type, status: "True", reason: "" }),
    ),
  ]);
  return flaw === true ? true : `${metadata.name}: ${String(flaw)}`;
}

// Routes ---------------------------------------------------------------------

function checkRoute(rest: string, route: unknown, args: readonly unknown[]): Verdict {
  const parents = listOf(at(route, "status", "parents"));
  switch (rest) {
    case "MustHaveCondition":
      return parentHas(route, String(args[1]), conditionOf(args[2]));
    case "MustHaveResolvedRefsConditionsTrue":
      return parentHas(route, String(args[1]), {
        type: "ResolvedRefs",
        status: "True",
        reason: "ResolvedRefs",
      });
    case "MustHaveLatestConditions":
      return areLatest(
        route,
        parents.flatMap((parent) => listOf(at(parent, "conditions"))),
      );
    case "MustHaveNoAcceptedParents": {
      const accepted = { type: "Accepted", status: "True", reason: "" };
      const those = parents.filter((parent) => has(route, parent, accepted) === true);
      return those.length === 0 ? true : `${those.length} parents have accepted it, want none`;
    }
    case "MustHaveParents":
      return sameParents(route, listOf(args[1]));
    default:
      return undefined;
  }
}

/** The statuses of a route at a parent, `namespace/name` of whatever kind. */
function parentsNamed(route: unknown, key: string): readonly unknown[] {
  const own = at(route, "metadata", "namespace");
  return listOf(at(route, "status", "parents")).filter((parent) => {
    const namespace = at(parent, "parentRef", "namespace") ?? own;
    return `${String(namespace)}/${String(at(parent, "parentRef", "name"))}` === key;
  });
}

function parentHas(route: unknown, key: string, wanted: Condition): Verdict {
  const parents = parentsNamed(route, key);
  if (parents.length === 0) return `no status of parent ${key}`;
  const verdicts = parents.map((parent) => has(route, parent, wanted));
  return verdicts.includes(true) || firstFlaw(verdicts);
}

function sameParents(route: unknown, wanted: readonly unknown[]): Verdict {
  const parents = listOf(at(route, "status", "parents"));
  if (parents.length !== wanted.length) return `${parents.length} parents, want ${wanted.length}`;
  return firstFlaw(
    wanted.map((one) => {
      const key = `${String(at(one, "ParentRef", "Namespace"))}/${String(at(one, "ParentRef", "Name"))}`;
      return firstFlaw(
        listOf(at(one, "Conditions")).map((condition) => parentHas(route, key, conditionOf(condition))),
      );
    }),
  );
}

async function routesAccepted(
  { gateway = "", routeKind = "HTTPRoute", routes = [] }: StatusStep,
  find: Find,
): Promise<Verdict> {
  return accepted({ kind: "Gateway", key: gateway }, { kind: routeKind, keys: routes }, find);
}

async function parentAndRoutesAccepted(args: readonly unknown[], find: Find): Promise<Verdict> {
  const [parent, , ...routes] = args;
  const kind = String(at(parent, "kind", "Kind"));
  const key = String(at(parent, "resource"));
  return accepted({ kind, key }, { kind: "HTTPRoute", keys: routes.map(String) }, find);
}

async function accepted(
  parent: { readonly kind: string; readonly key: string },
  routes: { readonly kind: string; readonly keys: readonly string[] },
  find: Find,
): Promise<Verdict> {
  const resource = await find(parent.kind, parent.key);
  if (resource === null) return `${parent.kind} ${parent.key} is not there`;
  if (at(resource, "status") === undefined) return undefined;
  const required = ["Accepted", "Programmed", "ResolvedRefs"].map((Type) => ({
    Type,
    Status: "True",
    Reason: "",
  }));
  const verdicts = [everyListener(resource, null, required)];
  for (const key of routes.keys) {
    const route = await find(routes.kind, key);
    if (route === null) verdicts.push(`${routes.kind} ${key} is not there`);
    else
      verdicts.push(parentHas(route, parent.key, { type: "Accepted", status: "True", reason: "Accepted" }));
  }
  return firstFlaw(verdicts);
}

// Conditions -----------------------------------------------------------------

/** Whether a status has a condition, as of the resource's generation. */
function has(resource: unknown, status: unknown, wanted: Condition): Verdict {
  const found = listOf(at(status, "conditions")).find((condition) => at(condition, "type") === wanted.type);
  if (found === undefined) return `no condition ${wanted.type}`;
  const told = `${String(at(found, "status"))} ${String(at(found, "reason"))}`;
  const isRight =
    at(found, "status") === wanted.status && (wanted.reason === "" || at(found, "reason") === wanted.reason);
  if (!isRight) return `${wanted.type} is ${told}, want ${wanted.status} ${wanted.reason}`;
  return areLatest(resource, [found]);
}

function areLatest(resource: unknown, conditions: readonly unknown[]): Verdict {
  if (conditions.length === 0) return "no conditions";
  const generation = at(resource, "metadata", "generation");
  const old = conditions.filter((condition) => at(condition, "observedGeneration") !== generation);
  return old.length === 0 ? true : `${old.length} conditions are not of generation ${String(generation)}`;
}

function conditionOf(wanted: unknown): Condition {
  return {
    type: String(at(wanted, "Type")),
    status: String(at(wanted, "Status")),
    reason: String(at(wanted, "Reason") ?? ""),
  };
}

function firstFlaw(verdicts: readonly Verdict[]): Verdict {
  return verdicts.find((verdict) => verdict !== true) ?? true;
}
