/**
 * Calls as hosts record a few of them: what policies decided by, so that
 * other policies can be tried on the same calls.
 *
 * @module
 */
import type { Addresses } from "../engine/access-condition.ts";
import { serviceKey, workloadKey, type UnitKey } from "../engine/snapshot.ts";

/** Nothing of it is a credential, and no path has its query. */
export interface RecordedCall {
  /** Whose policies decided: a service's unit at the edge, a workload's in its own host. */
  readonly unit: UnitKey;
  /** Id of an endpoint of the service that these policies protect; empty for a workload. */
  readonly endpoint: string;
  /** `<trust-domain>/ns/<namespace>/sa/<name>`; `null`: nobody was proved. */
  readonly caller: string | null;
  readonly host: string;
  readonly port: number;
  readonly method: string;
  /** Canonical. */
  readonly path: string;
  /** Fields that policies in force read, by name in lower case; `null` where the call had none. */
  readonly headers: Readonly<Record<string, string | null>>;
  /** Absent: no policy in force reads them. `null`: the host could not tell. */
  readonly addresses?: Addresses | null;
  /** Absent: nobody's token was verified. `null`: it came for nobody in particular. */
  readonly user?: RecordedUser | null;
}

/** What policies in force read of an end user. */
export interface RecordedUser {
  /** Absent: not read. */
  readonly principal?: { readonly issuer: string; readonly subject: string };
  /** Absent: not read. */
  readonly audiences?: readonly string[];
  /** `azp`, `null` where the token has none. Absent: not read. */
  readonly presenter?: string | null;
  readonly claims: readonly RecordedClaim[];
}

export interface RecordedClaim {
  readonly path: readonly string[];
  /** Empty: the token has no such text. */
  readonly values: readonly string[];
}

/** A call, and how many like it a host has looked at. */
export interface CallSample {
  readonly call: RecordedCall;
  readonly isAdmitted: boolean;
  /** At least 1. */
  readonly calls: number;
}

/** Calls with longer paths are not recorded: a part of one would be decided otherwise. */
export const MAX_RECORDED_PATH = 1_024;

/** Longer values of fields and claims are left out, as if no policy had read them. */
export const MAX_RECORDED_VALUE = 256;

/** Fields and claims of one call; further ones are left out. */
export const MAX_RECORDED_NAMES = 16;

/** Calls in one report of one isolate. */
export const MAX_SAMPLES = 100;

/** The unit of the callee: `service` is `null` where `endpoint` names an Endpoint, `namespace/name`, that decides itself. */
export function unitOf(service: string | null, endpoint: string): UnitKey {
  return service === null ? workloadKey(endpoint) : serviceKey(service);
}

/** The namespace of a unit that calls are recorded of; `null`: it is none. */
export function namespaceOfUnit(unit: UnitKey): string | null {
  return /^(?:service|workload):([a-z0-9-]{1,63})\/[a-z0-9.-]{1,253}$/.exec(unit)?.[1] ?? null;
}
