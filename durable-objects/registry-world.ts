/**
 * The registry's world in memory and what is compiled from it.
 *
 * @module
 */
import { affected } from "../shared/compile/affected.ts";
import { compileUnit } from "../shared/compile/compile.ts";
import { MAX_UNIT_BYTES } from "../shared/compile/unit-size.ts";
import * as world from "../shared/compile/world.ts";
import type { Ejection } from "../shared/engine/outlier.ts";
import { DIRECTORY, type UnitKey, type VerificationKey } from "../shared/engine/snapshot.ts";
import type { FieldProblem } from "../shared/wire/problem.ts";
import type { CheckedEndpoint, RegisteredEndpoint, TrustPublication } from "../shared/wire/registry-rpc.ts";
import type { Step } from "./registry-change.ts";
import type { RegistryStore } from "./registry-store.ts";
import type { UnitBody, UnitStore } from "./unit-store.ts";

/**
 * Of a full directory, kept for what the authority publishes into it: 4,000
 * revocations are 200 KB. Configuration must never keep a revocation out.
 */
const TRUST_RESERVE_BYTES = 300_000;

/**
 * What one change may compile to, all units together: the object's memory is
 * 128 MB, and holds the world besides. Policies times endpoints are soon more.
 */
const MAX_CHANGE_BYTES = 40_000_000;

/** Registered endpoints of one namespace, 20 full services: some 20 MB of the object's memory. */
const MAX_REGISTERED = 20_000;

type Trust = Omit<TrustPublication, "sequence">;

/** Units that differ from what is stored. */
export type Compiled = Map<UnitKey, UnitBody>;

/** Builds the world from everything stored. */
export function loadWorld(store: RegistryStore, trustDomain: string): world.World {
  const loaded = world.createWorld({ trustDomain });
  for (const resource of store.resources({})) world.put(loaded, resource);
  for (const { service, body } of store.published<readonly RegisteredEndpoint[]>("endpoints")) {
    world.setRegistered(loaded, service, body);
  }
  for (const { service, body } of store.published<readonly string[]>("ejections")) {
    world.setEjected(loaded, service, body);
  }
  for (const { service, body } of store.published<readonly CheckedEndpoint[]>("checks")) {
    world.setChecked(loaded, service, body);
  }
  for (const { service, body } of store.published<readonly Ejection[]>("outliers")) {
    world.setOutliers(loaded, service, body);
  }
  loadTrust(loaded, store);
  return loaded;
}

/** A release that knows keys only may have published after one that publishes more: the newer keys count. */
function loadTrust(loaded: world.World, store: RegistryStore): void {
  for (const { body } of store.published<Trust>("trust")) world.setTrust(loaded, body);
  if (store.sequence("keys", "") <= store.sequence("trust", "")) return;
  for (const { body } of store.published<readonly VerificationKey[]>("keys")) world.setKeys(loaded, body);
}

/**
 * Takes the steps one after another and answers every unit that they may have
 * changed. Deletions come first: what one resource becomes may have the place
 * that another leaves.
 */
export function move(current: world.World, steps: readonly Step[]): Set<UnitKey> {
  const keys = new Set<UnitKey>();
  const ordered = [
    ...steps.filter(({ after }) => after === null),
    ...steps.filter(({ after }) => after !== null),
  ];
  for (const { ref, before, after } of ordered) {
    for (const key of affected(current, before ?? ref)) keys.add(key);
    if (after === null) world.remove(current, ref);
    else world.put(current, after);
    for (const key of affected(current, after ?? ref)) keys.add(key);
  }
  return keys;
}

/**
 * Whether a service's registered endpoints are more than its namespace may have
 * in all. Services need not be configured to be registered with, so that their
 * own limits alone would let one namespace fill the registry's memory.
 */
export function isOverfull(
  current: world.World,
  service: string,
  endpoints: readonly RegisteredEndpoint[],
): boolean {
  const slash = service.indexOf("/");
  const registered =
    current.spaces.get(service.slice(0, slash))?.registered ?? new Map<string, readonly unknown[]>();
  const before = registered.get(service.slice(slash + 1))?.length ?? 0;
  const all = [...registered.values()].reduce((sum, { length }) => sum + length, 0);
  if (endpoints.length <= before || all - before + endpoints.length <= MAX_REGISTERED) return false;
  console.error(
    `registry: ${service} has too many endpoints: its namespace may have ${MAX_REGISTERED} registered`,
  );
  return true;
}

/** Compiles units and keeps those that differ from what is stored. Goes no further once they are more than `maxBytes`. */
export function compile(
  current: world.World,
  units: UnitStore,
  keys: Iterable<UnitKey>,
  maxBytes = Infinity,
): Compiled {
  const compiled: Compiled = new Map();
  let bytes = 0;
  for (const key of keys) {
    const unit = compileUnit(current, key);
    const body = unit === null ? null : JSON.stringify(unit);
    if (body === units.body(key)) continue;
    compiled.set(key, body);
    bytes += body?.length ?? 0;
    if (bytes > maxBytes) break;
  }
  return compiled;
}

/** Compiles what a change of configuration touches, or tells why the change cannot be: paths are the units' keys. */
export function compileChange(
  current: world.World,
  units: UnitStore,
  keys: Iterable<UnitKey>,
): { readonly compiled: Compiled; readonly problems: readonly FieldProblem[] } {
  const compiled = compile(current, units, keys, MAX_CHANGE_BYTES);
  const bytes = [...compiled.values()].reduce((sum, body) => sum + (body?.length ?? 0), 0);
  const whole = `compile to more than ${MAX_CHANGE_BYTES} bytes: apply less at once, or fewer policies for many endpoints`;
  const problems =
    bytes > MAX_CHANGE_BYTES
      ? [{ path: "documents", message: whole }]
      : oversized(compiled, compiled.has(DIRECTORY) ? roomForTrust(current) : 0);
  return { compiled, problems };
}

/** What of the reserve the authority has not used yet: what it has published is in the directory already. */
function roomForTrust({ keys, roots, revoked }: world.World): number {
  return Math.max(0, TRUST_RESERVE_BYTES - sizeOf(JSON.stringify({ keys, roots, revoked })));
}

/** The units that do not fit a row, the directory with a reserve; the path of a problem is the unit's key. */
function oversized(compiled: Compiled, reserve: number): FieldProblem[] {
  const problems: FieldProblem[] = [];
  for (const [path, body] of compiled) {
    const bytes = body === null ? 0 : sizeOf(body);
    const limit = path === DIRECTORY ? MAX_UNIT_BYTES - reserve : MAX_UNIT_BYTES;
    if (bytes <= limit) continue;
    const message = `compiles to ${bytes} bytes of at most ${limit}: use fewer endpoints, routes or policies`;
    problems.push({ path, message });
  }
  return problems;
}

/** Leaves out the units that do not fit a row: where nobody can be told, what hosts have stays in force. */
export function keepSmall(compiled: Compiled): Compiled {
  for (const { path, message } of oversized(compiled, 0)) {
    compiled.delete(path);
    console.error(`registry: ${path} ${message}; it stays as it was`);
  }
  return compiled;
}

/** The UTF-8 length. A UTF-16 unit takes at most three bytes, so most texts need no encoding to be known small. */
function sizeOf(text: string): number {
  return text.length * 3 <= MAX_UNIT_BYTES ? text.length : new TextEncoder().encode(text).length;
}
