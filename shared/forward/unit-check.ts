/**
 * Checks a unit before a host relies on it. The registry validated what it
 * compiled; this guards against skew between releases and damage on the way,
 * without the size of a schema library.
 *
 * @module
 */
import { DEFAULT_LOCALITY } from "../engine/locality.ts";
import type { RouteSet } from "../engine/route.ts";
import type { DirectoryUnit, ServiceUnit, Unit } from "../engine/snapshot.ts";

/** Says why a unit cannot be used; `null` when it can. Never throws, whatever it is given. */
export function flawOf(unit: Unit): string | null {
  try {
    return flawOfKind(unit);
  } catch {
    // A field that is not there at all: as good as any other reason to refuse the unit.
    return "the unit is malformed";
  }
}

function flawOfKind(unit: Unit): string | null {
  switch (unit.kind) {
    case "directory":
      return flawOfDirectory(unit);
    case "virtual-host":
      return areArrays(unit.authorization.deny) ? flawOfRoutes(unit.routes) : "authorization is malformed";
    case "service":
      return flawOfService(unit);
    case "workload":
      return areArrays(unit.inbound.authorization.deny, unit.inbound.limits) ? null : "inbound is malformed";
    default:
      return "the unit is of an unknown kind";
  }
}

/** What is revoked must be readable: without it revoked proofs would pass. */
function flawOfDirectory({ keys, listeners, revoked }: DirectoryUnit): string | null {
  if (!areArrays(keys, listeners, ...listeners.map((listener) => listener.domains)))
    return "keys, listeners and domains must be lists";
  return revoked === undefined || areArrays(revoked.ids, revoked.identities) ? null : "revoked is malformed";
}

function flawOfService(unit: ServiceUnit): string | null {
  if (!areArrays(unit.ports, unit.endpoints, unit.inbound, unit.routes)) return "a list is missing";
  if (unit.endpoints.some(({ inbound }) => unit.inbound[inbound] === undefined))
    return "an endpoint names policies that are not there";
  const isMalformed = ({ authorization, limits }: ServiceUnit["inbound"][number]): boolean =>
    !areArrays(authorization.deny, limits);
  if (unit.inbound.some(isMalformed)) return "inbound is malformed";
  const { retry, failover = [], locality = DEFAULT_LOCALITY } = unit.traffic;
  if (!areArrays(retry.on, retry.statusCodes, failover, locality.failover, locality.distribute))
    return "traffic is malformed";
  return unit.routes.map(({ routes }) => flawOfRoutes(routes)).find((flaw) => flaw !== null) ?? null;
}

function flawOfRoutes({ entries, actions }: RouteSet): string | null {
  if (!areArrays(entries, actions)) return "routes are malformed";
  return entries.some(({ action }) => actions[action] === undefined)
    ? "a route names an action that is not there"
    : null;
}

function areArrays(...values: readonly unknown[]): boolean {
  return values.every((value) => Array.isArray(value));
}
