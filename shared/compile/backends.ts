/**
 * The backends of routes: which services they name, and whether they may.
 *
 * @module
 */
import type { Backend } from "../engine/route.ts";
import type { HttpFilter } from "../wire/resources/http-filter.ts";
import { mayRefer } from "./grants.ts";
import type { AnyRoute } from "./route-kinds.ts";
import { findService, type World } from "./state.ts";

/** What a route refers to, as a backend or as a mirror. */
export interface Target {
  readonly group: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly port?: number | undefined;
}

/** From outside a reference to another namespace needs a ReferenceGrant there; inside the mesh it needs none (GAMMA). */
export type Origin = "gateway" | "mesh";

/** `namespace/name` of what a reference names. */
export function backendService(route: AnyRoute, { namespace, name }: Target): string {
  return `${namespace ?? route.metadata.namespace}/${name}`;
}

/** Everything that a route refers to. */
export function targetsOf({ spec }: AnyRoute): Target[] {
  return spec.rules.flatMap(({ filters, backendRefs }) => [
    ...mirrorsOf(filters),
    ...backendRefs.flatMap((backend) => [backend, ...mirrorsOf(backend.filters)]),
  ]);
}

function mirrorsOf(filters: readonly Partial<HttpFilter>[]): Target[] {
  return filters.flatMap(({ requestMirror }) => requestMirror?.backendRef ?? []);
}

/**
 * Why a backend cannot be used, or `null`. Whether it may be named is told
 * before whether it exists: the one who may not learns nothing.
 */
export function judgeBackend(
  world: World,
  route: AnyRoute,
  ref: Target,
  origin: Origin,
): NonNullable<Backend["invalid"]> | null {
  const { group, kind, name } = ref;
  if (group !== "" || kind !== "Service") return "backend.kind";
  const own = route.metadata.namespace;
  const referent = { group, kind, name, namespace: ref.namespace ?? own };
  if (origin === "gateway" && !mayRefer(world, { kind: route.kind, namespace: own }, referent)) {
    return "backend.forbidden";
  }
  const ports = findService(world, backendService(route, ref))?.spec.ports;
  if (ports === undefined) return "backend.missing";
  // A Service without ports is reached at whatever port its endpoints have; only listed rules may leave theirs out.
  return ports.length === 0 || ref.port === undefined || ports.some(({ port }) => port === ref.port)
    ? null
    : "backend.missing";
}
