/**
 * Records a few of the calls that the inbound half decides, for whoever wants
 * to know what another policy would have made of them.
 *
 * @module
 */
import { claimTexts, type EndUser } from "../engine/end-user.ts";
import { readsOf, type Reads } from "../engine/reads.ts";
import { serviceKey, type InboundPolicy } from "../engine/snapshot.ts";
import type { ProblemCode } from "../wire/problem.ts";
import { MAX_RECORDED_NAMES, MAX_RECORDED_PATH, MAX_RECORDED_VALUE, unitOf } from "../wire/recorded-call.ts";
import type { RecordedCall, RecordedUser } from "../wire/recorded-call.ts";
import type { Trail } from "./call.ts";
import { addressesOf } from "./client-address.ts";
import type { Arrival } from "./inbound.ts";
import * as meter from "./meter.ts";
import * as recorder from "./recorder.ts";
import type { Refusal } from "./refusal.ts";
import type { Mesh } from "./state.ts";

/** A recorded report that takes longer died with its request: another may be begun. */
const REPORT_LIMIT_MS = 5_000;

/** Refusals that other policies could have turned: what has no valid credential, or could not be decided, is no such call. */
const DECISIONS = new Set<ProblemCode>(["authn.missing", "authz.rule", "authz.default_deny", "authz.custom"]);

/** Whether a decided call is a candidate, which is then to be taken; `null`: it is not. */
export function due(
  { state, ports }: Mesh,
  policy: InboundPolicy,
  refusal: Refusal | null,
): recorder.Sample | null {
  if (refusal !== null && !DECISIONS.has(refusal.problem.code)) return null;
  return recorder.due(state.recorder, policy, refusal === null, ports.random);
}

/** A call as it was decided. */
export interface Decided {
  readonly policy: InboundPolicy;
  readonly arrival: Arrival;
  readonly trail: Trail;
  readonly refusal: Refusal | null;
}

/** Records a candidate. Never throws: what cannot be recorded was decided all the same. */
export function take(mesh: Mesh, sample: recorder.Sample, decided: Decided): void {
  const { caller, method, path } = decided.arrival;
  try {
    const isKept = recorder.keep(sample, `${caller?.principal ?? ""}\n${method}\n${path}`, {
      random: mesh.ports.random,
      make: () => {
        const call = callOf(mesh, decided);
        return call === null ? null : { call, isAdmitted: decided.refusal === null };
      },
    });
    if (isKept) seeToReport(mesh);
  } catch (error) {
    mesh.ports.log({ event: "telemetry.unrecorded", error: String(error).slice(0, 256) });
  }
}

function callOf(mesh: Mesh, decided: Decided): RecordedCall | null {
  const { policy, arrival, trail } = decided;
  const { caller, host, port, method, path, service } = arrival;
  if (path.length > MAX_RECORDED_PATH) return null;
  const reads = readsOf(policy.authorization);
  // Without a verified token nothing is known of end users, and before one was looked for neither.
  const isIdentified = policy.users !== undefined && decided.refusal?.problem.code !== "authn.missing";
  return {
    unit: unitOf(service, arrival.endpoint),
    endpoint: service === null ? "" : representative(mesh, policy, arrival),
    caller: caller?.principal ?? null,
    host,
    port,
    method,
    path,
    headers: headersOf(reads, decided),
    ...(reads.addresses ? { addresses: addressesOf(arrival.where) } : {}),
    ...(isIdentified ? { user: trail.user === null ? null : userOf(reads, trail.user) } : {}),
  };
}

/** The first endpoint that the same policies protect, so that alike calls to many endpoints are one. */
function representative(
  { state }: Mesh,
  policy: InboundPolicy,
  { service, endpoint }: Pick<Arrival, "service" | "endpoint">,
): string {
  const linked = service === null ? undefined : state.snapshot.view.units.get(serviceKey(service));
  if (linked?.kind !== "service") return endpoint;
  const { endpoints, inbound } = linked.unit;
  return endpoints.find((one) => inbound[one.inbound] === policy)?.id ?? endpoint;
}

function headersOf({ headers }: Reads, { policy, arrival }: Decided): Record<string, string | null> {
  const secret = new Set(
    (policy.users ?? []).flatMap(({ places }) =>
      places.flatMap((place) => (place.kind === "header" ? [place.name] : [])),
    ),
  );
  const named = [...headers]
    .filter((name) => !isCredential(name) && !secret.has(name))
    .map((name): [string, string | null] => [name, arrival.headers.get(name)])
    .filter(([, value]) => value === null || value.length <= MAX_RECORDED_VALUE);
  return Object.fromEntries(named.slice(0, MAX_RECORDED_NAMES));
}

/** Words in names of fields whose values open doors. */
const CREDENTIAL =
  /cookie|token|jwt|secret|passw|credential|apikey|(^|[-_])(authorization|authentication|auth|key|pwd|session(id)?|assertion|signature|otp|pin)($|[-_])/;

/** Whether a field may hold what is nobody else's to know, by its name in lower case. */
export function isCredential(name: string): boolean {
  return CREDENTIAL.test(name);
}

function userOf(reads: Reads, user: EndUser): RecordedUser {
  const claims = reads.claims
    .map((path) => ({ path, values: claimTexts(user.claims, path) }))
    .filter(({ values }) => isShort(values));
  return {
    ...(reads.users ? { principal: { issuer: user.issuer, subject: user.subject } } : {}),
    ...(reads.audiences && isShort(user.audiences) ? { audiences: user.audiences } : {}),
    ...(reads.presenters ? { presenter: user.presenter } : {}),
    claims: claims.slice(0, MAX_RECORDED_NAMES),
  };
}

function isShort(texts: readonly string[]): boolean {
  return texts.join("").length <= MAX_RECORDED_VALUE;
}

/** Metrics take recorded calls along; a host that counts no calls of its own reports them alone, seldom. */
function seeToReport(mesh: Mesh): void {
  const { recorder: own } = mesh.state;
  const now = mesh.ports.now();
  if (own.reportAt !== null && now < own.reportAt + REPORT_LIMIT_MS) return;
  const sinceMs = Math.max(0, now - own.cutAt);
  const afterMs = Math.max(meter.FLUSH_AFTER_MS, recorder.RECORD_EVERY_MS - sinceMs);
  own.reportAt = now + afterMs;
  mesh.ports.defer(reportLater(mesh, afterMs));
}

async function reportLater(mesh: Mesh, afterMs: number): Promise<void> {
  await mesh.ports.sleep(afterMs);
  const { recorder: own } = mesh.state;
  own.reportAt = null;
  if (own.samples.size > 0) await meter.flush(mesh);
}
