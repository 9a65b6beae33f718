/**
 * What a change would make of the policies that protect callees, without the
 * change.
 *
 * @module
 */
import type { InboundPolicy, Unit, UnitKey } from "../shared/engine/snapshot.ts";
import type { PolicyPreview, Protected, Protection, TouchedUnit } from "../shared/wire/policy-preview.ts";
import type { Compiled } from "./registry-world.ts";
import type { UnitStore } from "./unit-store.ts";

/** An answer over RPC has 32 MiB. */
const MAX_PREVIEW_BYTES = 16 * 1024 * 1024;

/** The units of some whose policies a change touches, before and after it; those that do not fit are named only. */
export function previewOf(
  units: UnitStore,
  compiled: Compiled,
  wanted: readonly UnitKey[],
): Pick<PolicyPreview, "touched" | "omitted"> {
  const touched: TouchedUnit[] = [];
  const omitted: UnitKey[] = [];
  let bytes = 0;
  for (const unit of wanted) {
    const body = compiled.get(unit);
    if (body === undefined) continue;
    const before = protectedIn(units.unit(unit));
    const after = protectedIn(body === null ? null : JSON.parse(body));
    const [old, next] = [JSON.stringify(before), JSON.stringify(after)];
    if (old === next) continue;
    bytes += old.length + next.length;
    if (bytes > MAX_PREVIEW_BYTES) omitted.push(unit);
    else touched.push({ unit, before, after });
  }
  return { touched, omitted };
}

function protectedIn(unit: Unit | null): Protected | null {
  switch (unit?.kind) {
    case "workload":
      return { endpoints: {}, policies: [protectionOf(unit.inbound)] };
    case "service":
      return {
        endpoints: Object.fromEntries(unit.endpoints.map(({ id, inbound }) => [id, inbound])),
        policies: unit.inbound.map(protectionOf),
      };
    default:
      return null;
  }
}

function protectionOf({ peer, peerPorts, tokens, users, authorization }: InboundPolicy): Protection {
  return {
    peer,
    ...(peerPorts === undefined ? {} : { peerPorts }),
    ...(tokens === undefined ? {} : { tokens }),
    ...(users === undefined ? {} : { users }),
    authorization,
  };
}
