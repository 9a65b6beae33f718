/** The mesh's Worker with objects that a chaos run can break, and a door to do it by. */
import { WorkerEntrypoint } from "cloudflare:workers";
import * as mesh from "../../../../workers/main.ts";

export { Door, Mesh, default } from "../../../../workers/main.ts";

// Objects and entrypoints of a Worker share an isolate in workerd.
const faults = new Map();
const calls = [];
const names = new Map();

const POLL_MS = 20;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Does what the fault of a class, if there is one, does to a call or to its answer. */
async function befall(className) {
  const fault = faults.get(className);
  if (fault === undefined) return;
  if (fault.kind === "throw") throw new Error(`${className} is out, for a test`);
  if (fault.kind === "slow") await sleep(fault.ms);
  if (fault.kind === "stall") {
    while (faults.get(className) === fault) await sleep(POLL_MS);
    throw new Error(`${className} was out, for a test`);
  }
}

/** What `work` brings, unless the class breaks meanwhile: calls that are held break at once, as connections do. */
async function unbroken(className, work) {
  const progress = { isDone: false };
  const done = work.finally(() => (progress.isDone = true));
  // Looked at again below, unless the call breaks; then nobody asks.
  done.catch(() => undefined);
  // Each call by timers of its own: a promise of another request would wake it in that request's context.
  while (!progress.isDone && faults.get(className)?.kind !== "throw")
    await Promise.race([done, sleep(POLL_MS)]).catch(() => undefined);
  await befall(className);
  return done;
}

/** An object class whose every method counts, and suffers what the class's fault says. */
function breakable(Base, className, binding) {
  const known = new Set();
  names.set(className, { binding, known });
  class Breakable extends Base {
    constructor(ctx, env) {
      super(ctx, env);
      known.add(ctx.id.name);
    }
    /** Ends this instance, as the platform does: what is only in its memory is gone. */
    evict() {
      this.ctx.abort("evicted, for a test");
    }
  }
  for (const method of Object.getOwnPropertyNames(Base.prototype)) {
    if (method === "constructor") continue;
    Breakable.prototype[method] = async function (...args) {
      calls.push([Date.now(), className, method]);
      if (method === "alarm" && faults.get(className)?.kind === "lose-alarms") return;
      await befall(className);
      return unbroken(className, Base.prototype[method].apply(this, args));
    };
  }
  return Breakable;
}

export const AdminObject = breakable(mesh.AdminObject, "AdminObject", "ADMIN");
export const RegistryObject = breakable(mesh.RegistryObject, "RegistryObject", "REGISTRY");
export const HealthObject = breakable(mesh.HealthObject, "HealthObject", "HEALTH");
export const CircuitObject = breakable(mesh.CircuitObject, "CircuitObject", "CIRCUIT");
export const RateLimitObject = breakable(mesh.RateLimitObject, "RateLimitObject", "RATE_LIMIT");
export const ReplayObject = breakable(mesh.ReplayObject, "ReplayObject", "REPLAY");
export const AuthorityObject = breakable(mesh.AuthorityObject, "AuthorityObject", "AUTHORITY");
export const TelemetryObject = breakable(mesh.TelemetryObject, "TelemetryObject", "TELEMETRY");

/** `/break` and `/mend` a class, `/evict` all of its instances, `/calls` since the last look. */
export class Chaos extends WorkerEntrypoint {
  async fetch(request) {
    const { className, fault } = await request.json();
    switch (new URL(request.url).pathname) {
      case "/break":
        faults.set(className, fault);
        return Response.json(null);
      case "/mend":
        faults.delete(className);
        return Response.json(null);
      case "/evict":
        return Response.json(await this.#evict(className));
      case "/calls":
        return Response.json(calls.splice(0));
    }
    return new Response(null, { status: 404 });
  }

  /** How many instances of a class there were to evict. */
  async #evict(className) {
    const { binding, known } = names.get(className);
    const evicted = [...known];
    known.clear();
    for (const name of evicted) {
      // The caller of an instance that aborts is told so: that is success here.
      await this.env[binding]
        .getByName(name)
        .evict()
        .catch(() => undefined);
    }
    return evicted.length;
  }
}
