/**
 * Which backend of a rule gets a call: the one of the client's session, of
 * its key, or of chance.
 *
 * @module
 */
import * as affinity from "../engine/affinity.ts";
import type { SessionPersistence } from "../engine/affinity.ts";
import { keyOf } from "../engine/hash.ts";
import type { Backend, RouteAction } from "../engine/route.ts";
import { serviceKey } from "../engine/snapshot.ts";
import * as split from "../engine/split.ts";
import type { Call } from "./call.ts";
import { sourceIpOf } from "./onward.ts";
import { poolOf } from "./pool.ts";
import { prepare } from "./sync.ts";

/** Picks a backend; `null` when there is none with a weight above 0. */
export function pickBackend(call: Call, action: RouteAction): Backend | null | Promise<Backend | null> {
  const { session } = action;
  return session !== undefined && action.backends.length > 1 && isCarried(call, session)
    ? pickInSession(call, action, session)
    : pickAnew(call, action);
}

function pickAnew(call: Call, { backends, sticky }: RouteAction): Backend | null {
  const key = sticky === undefined ? null : keyOf(sticky, call.view, call.client, sourceIpOf(call.headers));
  return key === null ? split.pick(backends, call.mesh.ports.random()) : split.pickSticky(backends, key);
}

/** Whether the request could be of a session at all: without one, no backend is looked at. */
function isCarried({ view }: Call, { kind, name }: SessionPersistence): boolean {
  return view.headers.get(kind === "header" ? name : "cookie") !== null;
}

/** A session outweighs the shares of backends (GEP-1619), but none goes to a backend with a weight of 0. */
async function pickInSession(
  call: Call,
  action: RouteAction,
  session: SessionPersistence,
): Promise<Backend | null> {
  const { snapshot } = call.mesh.state;
  const backends = action.backends.filter(({ weight, invalid }) => weight > 0 && invalid === undefined);
  await prepare(
    call.mesh,
    backends.map(({ service }) => serviceKey(service)),
  );
  const now = call.mesh.ports.now();
  const kept = backends.find(({ service, subset }) => {
    const linked = snapshot.view.units.get(serviceKey(service));
    if (linked?.kind !== "service") return false;
    const { endpoints } = poolOf(linked.pools, subset);
    return affinity.read(session, call.view.headers, { service, endpoints }, now) !== null;
  });
  return kept ?? pickAnew(call, action);
}
