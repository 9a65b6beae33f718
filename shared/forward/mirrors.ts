/**
 * Mirrors: copies of calls for services whose answers nobody waits for. They
 * never slow the call down, nor are they tried again, mirrored again or
 * counted as calls.
 *
 * @module
 */
import * as balance from "../engine/balance.ts";
import { usable } from "../engine/endpoint.ts";
import type { Endpoint } from "../engine/endpoint.ts";
import { choose } from "../engine/mirror.ts";
import type { Mirror } from "../engine/mirror.ts";
import type { Millis } from "../engine/time.ts";
import { attempt, discard } from "./attempt.ts";
import type { Body } from "./body.ts";
import { MIRRORED_HEADER, startTrail } from "./call.ts";
import type { Call } from "./call.ts";
import { admitTo } from "./callee.ts";
import { findingsOf } from "./outliers.ts";
import { loadService, straightTo } from "./plan.ts";
import type { Plan } from "./plan.ts";
import type { Copy, Mesh } from "./state.ts";

/** Copies of one isolate on their way: beyond it they are dropped, so that a slow mirror takes no memory. */
export const MAX_IN_FLIGHT = 32;

/** A copy is given up after so long; one that its invocation did not live to see ends counts no longer either. */
const LIMIT_MS: Millis = 15_000;

/** Sends a copy to each mirror of the plan that is drawn. A body that is not held cannot be sent twice. */
export function mirror(call: Call, plan: Plan, body: Body): void {
  const { ports } = call.mesh;
  if (call.isMirrored || call.headers.has("upgrade")) return;
  for (const each of choose(plan.mirrors, ports.random)) {
    if (body.kind === "stream" || !hasRoom(call.mesh)) drop(call.mesh);
    else ports.defer(deliverCopy(copyOf(call), plan, each, body));
  }
}

function hasRoom({ state, ports }: Mesh): boolean {
  const { mirrors } = state;
  if (mirrors.size < MAX_IN_FLIGHT) return true;
  const now = ports.now();
  for (const copy of mirrors) if (now - copy.sentAt > LIMIT_MS) mirrors.delete(copy);
  return mirrors.size < MAX_IN_FLIGHT;
}

function drop({ state }: Mesh): void {
  state.meter.host.droppedMirrors += 1;
}

/** As the call is now: what tries add to it later is for their endpoints. */
function copyOf(call: Call): Call {
  const { arrivedAt, requestId, method } = call.trail;
  const headers = new Headers(call.headers);
  headers.set(MIRRORED_HEADER, "1");
  return {
    ...call,
    headers,
    signal: null,
    trail: startTrail(Math.max(arrivedAt, call.mesh.ports.now()), requestId, method),
  };
}

async function deliverCopy(call: Call, original: Plan, to: Mirror, body: Body): Promise<void> {
  const { state, ports } = call.mesh;
  const copy: Copy = { sentAt: call.trail.arrivedAt };
  state.mirrors.add(copy);
  try {
    if (!(await send(call, original, to, body))) drop(call.mesh);
  } catch (error) {
    // Nobody waits for it: that it failed is told to the operator only.
    drop(call.mesh);
    ports.log({ event: "mirror.failed", service: to.service, error: String(error).slice(0, 256) });
  } finally {
    state.mirrors.delete(copy);
  }
}

/** Whether the copy could be sent, whatever became of it. */
async function send(call: Call, original: Plan, to: Mirror, body: Body): Promise<boolean> {
  const service = await loadService(call.mesh, to.service);
  if (service.kind === "refusal") return false;
  const plan = planOf(original, straightTo(call, service, to));
  const endpoint = pick(call, plan);
  if (endpoint === null) return false;
  const admitted = call.mesh.settings.enforcesInbound ? await admitTo(call, plan, endpoint) : call;
  if ("kind" in admitted) return false;
  discard(await attempt(admitted, plan, endpoint, { body, control: new AbortController() }));
  return true;
}

function planOf({ authority, path }: Plan, plan: Plan): Plan {
  const requestMs = Math.min(plan.timeouts.requestMs ?? LIMIT_MS, LIMIT_MS);
  return {
    ...plan,
    authority,
    path,
    timeouts: { ...plan.timeouts, requestMs },
    retry: { ...plan.retry, retries: 0 },
  };
}

function pick(call: Call, plan: Plan): Endpoint | null {
  const { random, now } = call.mesh.ports;
  const { pool } = plan;
  const { panicRatio, loadBalancing } = pool.policy;
  const candidates = usable(pool.endpoints, findingsOf(plan, now()), panicRatio, now());
  return balance.pick(candidates, loadBalancing, pool.load, { random, now: now(), hash: null });
}
