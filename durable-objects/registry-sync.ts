/**
 * Answers a host's `sync`: what changed of the units that it holds, and the
 * units that it wants.
 *
 * @module
 */
import type { Unit, UnitKey } from "../shared/engine/snapshot.ts";
import { references } from "../shared/compile/compile.ts";
import type { SyncAnswer, SyncRequest } from "../shared/wire/registry-rpc.ts";
import type { UnitStore } from "./unit-store.ts";

/** Units that one call may want: about 10 MB of services, a third of what one RPC answer may carry. */
export const MAX_WANTED = 5_000;

/**
 * A unit is told when it is wanted, when it is held and has changed, or when a
 * unit that is told refers to it and the host does not hold it: whatever a host
 * holds is complete. A host whose version is newer than the registry's (storage
 * was restored from a backup) is told everything that it holds.
 */
export function answerSync(units: UnitStore, request: SyncRequest): SyncAnswer {
  if (request.wanted.length > MAX_WANTED) {
    throw new RangeError(
      `sync: ${request.wanted.length} wanted units; ask for at most ${MAX_WANTED} at a time`,
    );
  }
  const version = units.version();
  if (request.version === version && request.wanted.length === 0) return { version, units: [], missing: [] };

  const changed = request.held.length === 0 ? new Set<UnitKey>() : units.changedSince(request.version);
  const outdated = changed === null ? request.held : request.held.filter((key) => changed.has(key));
  return { version, ...collect(units, new Set([...request.wanted, ...outdated]), new Set(request.held)) };
}

/** Loads units and, as they come up, the units that they refer to. */
function collect(
  units: UnitStore,
  told: Set<UnitKey>,
  held: ReadonlySet<UnitKey>,
): Pick<SyncAnswer, "units" | "missing"> {
  const found: [UnitKey, Unit][] = [];
  const missing: UnitKey[] = [];
  // A set may grow while it is walked: what is added is visited too.
  for (const key of told) {
    const unit = units.unit(key);
    if (unit === null) {
      missing.push(key);
      continue;
    }
    found.push([key, unit]);
    for (const reference of references(unit)) {
      if (!held.has(reference)) told.add(reference);
    }
  }
  return { units: found, missing };
}
