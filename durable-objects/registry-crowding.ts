/**
 * How much of what several namespaces make together may be of one that its
 * owner changes: a unit has a limit, and one must not use it up for the others.
 *
 * @module
 */
import type { World } from "../shared/compile/world.ts";
import type { RouteSet } from "../shared/engine/route.ts";
import type { DirectoryUnit, Unit, UnitKey } from "../shared/engine/snapshot.ts";
import type { FieldProblem } from "../shared/wire/problem.ts";
import { ownerOf } from "./registry-tenancy.ts";
import type { Compiled } from "./registry-world.ts";
import type { UnitStore } from "./unit-store.ts";

/** Of another's unit, or of the directory, in bytes of JSON: a tenth of what a unit may have. */
const MAX_SHARE_BYTES = 150_000;

/**
 * Where an owner of `namespaces` would have too much of a unit; paths are the
 * units' keys. A change that makes a unit smaller never does: whoever has too
 * much, because an admin let it have that, can give it back.
 */
export function crowding(
  { world: current, units }: { readonly world: World; readonly units: Pick<UnitStore, "body"> },
  compiled: Compiled,
  namespaces: readonly string[],
): FieldProblem[] {
  return [...compiled].flatMap(([path, body]) => {
    // In a small unit nobody has much.
    if (body === null || body.length <= MAX_SHARE_BYTES) return [];
    if (body.length < (units.body(path)?.length ?? 0)) return [];
    const unit: Unit = JSON.parse(body);
    return namespaces.flatMap((namespace) => {
      const bytes = shareOf(current, path, unit, namespace);
      if (bytes <= MAX_SHARE_BYTES) return [];
      const message = `would be ${bytes} bytes of ${namespace}, of at most ${MAX_SHARE_BYTES}: use fewer or shorter routes, rules and hosts`;
      return [{ path, message }];
    });
  });
}

/** The bytes of a namespace in a unit that is not its own. */
function shareOf(current: World, key: UnitKey, unit: Unit, namespace: string): number {
  switch (unit.kind) {
    case "directory":
      return listenersOf(unit, namespace) + hostsOf(current, namespace);
    case "virtual-host":
      return isOf(ownerOfHost(key), namespace) ? 0 : rulesOf(unit.routes, namespace);
    case "service": {
      const own = unit.routes.filter(({ consumerNamespace }) => consumerNamespace === namespace);
      return own.length === 0 ? 0 : JSON.stringify(own).length;
    }
    case "workload":
      return 0;
  }
}

/** The Gateway or ListenerSet whose listener serves a host, by its unit's key. */
function ownerOfHost(key: UnitKey): string {
  const id = key.slice("host:".length, key.indexOf("#"));
  return ownerOf({ id, gateway: id.split("/", 2).join("/") });
}

/** Its listeners, without their hosts: those are of whoever has routes there. */
function listenersOf({ listeners }: DirectoryUnit, namespace: string): number {
  const own = listeners.filter((listener) => isOf(ownerOf(listener), namespace));
  return JSON.stringify(own.map((listener) => ({ ...listener, domains: [] }))).length;
}

/** The host names at which a namespace's routes stand, at whosever listeners. */
function hostsOf({ attachments, spaces }: World, namespace: string): number {
  const routes = [...(spaces.get(namespace)?.routes.keys() ?? [])];
  const places = routes.flatMap((route) => attachments.byRoute.get(`${namespace}/${route}`) ?? []);
  const hosts = places.flatMap(({ listener, domains }) => domains.map((domain) => `${listener} ${domain}`));
  return [...new Set(hosts)].reduce((sum, host) => sum + host.length - host.indexOf(" ") + QUOTES, 0);
}

/** Around a text in a list of JSON, less the space above. */
const QUOTES = 2;

function rulesOf({ entries, actions }: RouteSet, namespace: string): number {
  const isOwn = actions.map(({ route }) => isOf(route, namespace));
  const own = [
    ...actions.filter((_, index) => isOwn[index]),
    ...entries.filter(({ action }) => isOwn[action]),
  ];
  return JSON.stringify(own).length;
}

function isOf(qualified: string, namespace: string): boolean {
  return qualified.startsWith(`${namespace}/`);
}
