/**
 * Decides recorded calls by the policies before a change and by those after
 * it, with the functions that hosts decide with, and tells what differs.
 *
 * @module
 */
import { authorize, consulted } from "../engine/authorize.ts";
import type { UnitKey } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import type { Protected, Protection, TouchedUnit } from "../wire/policy-preview.ts";
import type { RecordedCall } from "../wire/recorded-call.ts";
import type { StoredCall } from "../wire/telemetry-rpc.ts";
import type { Flip, Simulation, Verdict } from "../wire/simulation.ts";
import { modeAt } from "./inbound.ts";
import { replay } from "./replay.ts";

/** Flips that are told one by one. */
const MAX_FLIPS = 1_000;

/** What became of recorded calls; `flips` and `items` count each distinct call once. */
export type Findings = Pick<
  Simulation,
  "replayed" | "unchanged" | "flips" | "unknown" | "unrecorded" | "gone" | "items"
>;

/** Tries a change on the calls recorded of the units that it touches. */
export function simulate(
  touched: readonly TouchedUnit[],
  calls: readonly StoredCall[],
  now: Millis,
): Findings {
  const byUnit = new Map(touched.map((each) => [each.unit, each]));
  const flips = new Map<string, Flip>();
  const unrecorded = new Set<string>();
  const counts = { replayed: 0, unchanged: 0, unknown: 0, gone: 0 };
  for (const stored of calls) {
    const unit = byUnit.get(stored.call.unit);
    if (unit === undefined) continue;
    counts.replayed += 1;
    const found = compare(unit, stored.call, now);
    if (found.kind === "flip") add(flips, stored, found);
    else counts[found.kind] += 1;
    if (found.kind === "unknown") for (const name of found.names) unrecorded.add(name);
  }
  const items = [...flips.values()].toSorted((a, b) => b.calls - a.calls || b.lastSeenAt - a.lastSeenAt);
  return {
    ...counts,
    flips: items.length,
    unrecorded: [...unrecorded].toSorted(),
    items: items.slice(0, MAX_FLIPS),
  };
}

type Comparison =
  | { readonly kind: "unchanged" | "gone" }
  | { readonly kind: "unknown"; readonly names: ReadonlySet<string> }
  | { readonly kind: "flip"; readonly before: Verdict; readonly after: Verdict };

function compare({ before, after }: TouchedUnit, call: RecordedCall, now: Millis): Comparison {
  const [old, next] = [protectionOf(before, call), protectionOf(after, call)];
  if (old === null || next === null) return { kind: "gone" };
  if (textOf(old) === textOf(next)) return { kind: "unchanged" };
  const names = new Set<string>();
  const [was, becomes] = [verdictOf(old, call, names, now), verdictOf(next, call, names, now)];
  for (const name of unprovable(old, next, call, becomes)) names.add(name);
  if (names.size > 0) return { kind: "unknown", names };
  return was.kind === becomes.kind ? { kind: "unchanged" } : { kind: "flip", before: was, after: becomes };
}

/** Many calls are compared by the same policies. */
const texts = new WeakMap<Protection, string>();

function textOf(protection: Protection): string {
  const text = texts.get(protection) ?? JSON.stringify(protection);
  texts.set(protection, text);
  return text;
}

/** No token is recorded, so that what other rules for tokens make of one is not known. */
function unprovable(
  old: Protection,
  next: Protection,
  { caller }: RecordedCall,
  { code }: Verdict,
): readonly string[] {
  const isOther = (field: "tokens" | "users"): boolean =>
    JSON.stringify(old[field] ?? null) !== JSON.stringify(next[field] ?? null);
  return [
    ...(caller !== null && isOther("tokens") ? ["source.principal"] : []),
    ...(code !== "authn.missing" && isOther("users") ? ["request.auth"] : []),
  ];
}

/** Endpoints come and go: where there is one set of policies, a call to one that is gone is decided by it. */
function protectionOf(unit: Protected | null, { endpoint }: RecordedCall): Protection | null {
  if (unit === null) return null;
  const { endpoints, policies } = unit;
  const index = endpoints[endpoint] ?? (policies.length === 1 ? 0 : -1);
  return policies[index] ?? null;
}

/** The verdict; `missing` gets the names of what it would have had to read and was not recorded. */
function verdictOf(policy: Protection, call: RecordedCall, missing: Set<string>, now: Millis): Verdict {
  const mode = modeAt(policy, call.port);
  if (mode !== "permissive" && mode !== "disabled" && call.caller === null)
    return { kind: "denied", by: null, code: "authn.missing" };
  const input = replay({ call, policy, missing, now, knowsCaller: mode !== "disabled" });
  const { custom = [] } = policy.authorization;
  const asked = custom.filter((rules) => consulted(rules, input) !== null).map(({ provider }) => provider);
  if (asked.includes(null)) return { kind: "denied", by: null, code: "authz.custom" };
  const { kind, by } = authorize(policy.authorization, input);
  if (kind === "deny") return { kind: "denied", by, code: by === null ? "authz.default_deny" : "authz.rule" };
  if (asked.length === 0) return { kind: "allowed", by, code: null };
  return { kind: "asked", by: asked.map((provider) => provider?.name ?? "").join(", "), code: null };
}

function add(
  flips: Map<string, Flip>,
  { call, calls, seenAt }: StoredCall,
  { before, after }: { readonly before: Verdict; readonly after: Verdict },
): void {
  const { unit, method, path } = call;
  const caller = call.caller === null ? null : `spiffe://${call.caller}`;
  const key = JSON.stringify([caller, unit, method, path, before, after]);
  const known = flips.get(key);
  flips.set(key, {
    caller,
    ...calleeOf(unit),
    method,
    path,
    before,
    after,
    calls: calls + (known?.calls ?? 0),
    lastSeenAt: Math.max(seenAt, known?.lastSeenAt ?? 0),
  });
}

function calleeOf(unit: UnitKey): Pick<Flip, "kind" | "callee"> {
  const callee = unit.slice(unit.indexOf(":") + 1);
  return { kind: unit.startsWith("service:") ? "Service" : "Endpoint", callee };
}
