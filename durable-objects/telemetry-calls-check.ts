/**
 * What of a report may be recorded as calls. Reports come from Workers that
 * the mesh does not run.
 *
 * @module
 */
import type { CallReport } from "../shared/wire/call-record.ts";
import {
  MAX_RECORDED_NAMES,
  MAX_RECORDED_PATH,
  MAX_RECORDED_VALUE,
  MAX_SAMPLES,
  namespaceOfUnit,
} from "../shared/wire/recorded-call.ts";
import type { CallSample, RecordedCall, RecordedUser } from "../shared/wire/recorded-call.ts";

/** Of names, hosts and methods. */
const MAX_TEXT = 640;

/** Calls alike in one report of one isolate: a day's sum stays a number that JSON can tell exactly. */
const MAX_CALLS_OF_SAMPLE = 1_000_000_000;

/** The recorded calls that make sense; the others are left out. */
export function recordable({ calls }: CallReport): readonly CallSample[] {
  return Array.isArray(calls) ? calls.slice(0, MAX_SAMPLES).flatMap(sampleOf) : [];
}

/** With its own fields only, in one order: what is kept is compared as text. */
function sampleOf(sample: CallSample): CallSample[] {
  try {
    const { call, isAdmitted, calls } = sample;
    const counts = Number.isSafeInteger(calls) && calls > 0 && calls <= MAX_CALLS_OF_SAMPLE;
    return counts && typeof isAdmitted === "boolean" && isCall(call)
      ? [{ call: plain(call), isAdmitted, calls }]
      : [];
  } catch {
    // A part that is not there at all: it makes no sense either, and the rest of the report counts.
    return [];
  }
}

function isCall({ unit, endpoint, caller, host, port, method, path, ...rest }: RecordedCall): boolean {
  return (
    isText(unit) &&
    namespaceOfUnit(unit) !== null &&
    [endpoint, host, method].every((text) => isText(text)) &&
    (caller === null || isText(caller)) &&
    Number.isInteger(port) &&
    isText(path, MAX_RECORDED_PATH) &&
    areHeaders(rest.headers) &&
    (rest.addresses === undefined || rest.addresses === null || areAddresses(rest.addresses)) &&
    (rest.user === undefined || rest.user === null || isUser(rest.user))
  );
}

function areHeaders(headers: RecordedCall["headers"]): boolean {
  const entries = Object.entries(headers);
  return (
    entries.length <= MAX_RECORDED_NAMES &&
    entries.every(([name, value]) => isText(name) && (value === null || isText(value, MAX_RECORDED_VALUE)))
  );
}

function areAddresses({ source, remote }: NonNullable<RecordedCall["addresses"]>): boolean {
  return [source, remote].every(
    (address) =>
      address === null || (Array.isArray(address) && address.length === 8 && address.every(Number.isInteger)),
  );
}

function isUser({ principal, audiences, presenter, claims }: RecordedUser): boolean {
  return (
    (principal === undefined || (isText(principal.issuer) && isText(principal.subject))) &&
    (audiences === undefined || areTexts(audiences)) &&
    (presenter === undefined || presenter === null || isText(presenter)) &&
    Array.isArray(claims) &&
    claims.length <= MAX_RECORDED_NAMES &&
    claims.every(({ path, values }) => areTexts(path) && areTexts(values))
  );
}

function areTexts(texts: readonly unknown[]): boolean {
  return Array.isArray(texts) && texts.length <= MAX_TEXT && texts.every((text) => isText(text));
}

function isText(value: unknown, max = MAX_TEXT): value is string {
  return typeof value === "string" && value.length <= max;
}

function plain(call: RecordedCall): RecordedCall {
  const { unit, endpoint, caller, host, port, method, path, headers, addresses, user } = call;
  return {
    unit,
    endpoint,
    caller,
    host,
    port,
    method,
    path,
    headers: Object.fromEntries(Object.entries(headers).toSorted(([a], [b]) => (a < b ? -1 : 1))),
    ...(addresses === undefined ? {} : { addresses }),
    ...(user === undefined ? {} : { user }),
  };
}
