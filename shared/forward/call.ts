/**
 * One call on its way, and what is told of it afterwards.
 *
 * @module
 */
import type { Caller } from "../engine/authorize.ts";
import type { EndUser } from "../engine/end-user.ts";
import type { Priority } from "../engine/priority.ts";
import type { RequestView } from "../engine/request.ts";
import type { Millis } from "../engine/time.ts";
import type { FieldEdit } from "./end-users.ts";
import type { Shown } from "./identify.ts";
import type { Mesh } from "./state.ts";

/** What metrics and the access log tell of a call. Filled in as the call goes. */
export interface Trail {
  readonly arrivedAt: Millis;
  readonly requestId: string;
  readonly method: string;
  /** Canonical; empty when the request had none. */
  path: string;
  hops: number;
  /** `namespace/name` of the caller or gateway. */
  source: string;
  /** `namespace/name` of the service. */
  destination: string;
  version: string;
  /** `namespace/name` of the route; empty for the service's default. */
  route: string;
  endpoint: string;
  tries: number;
  /** False where another host of the mesh counts the same call. */
  isMetered: boolean;
  /** The policy rule that decided, for the log: never for the caller. */
  decider: string;
  /** For whom the call is made, as the inbound half has verified last; `null` for nobody in particular. */
  user: EndUser | null;
  /** What rate limits tell the caller of an admitted call. */
  limitFields: readonly (readonly [name: string, value: string])[];
  /** What the inbound half changes of the fields that the callee sees. */
  edits: readonly FieldEdit[];
}

export interface Call {
  readonly mesh: Mesh;
  readonly request: Request;
  readonly view: RequestView;
  readonly caller: Caller | null;
  /** Who was proved to call; `null` where the gateway stands in as the caller. */
  readonly client: Caller | null;
  /** The tokens of the mesh that came with it. */
  readonly shown: Shown;
  readonly hops: number;
  /** From the network, not from a Worker. */
  readonly isFromOutside: boolean;
  /** The call is a copy already. */
  readonly isMirrored: boolean;
  /** What earlier hosts of the mesh say of it. */
  readonly told: Told;
  /** Aborts when nobody waits for the answer any more: tries end then. `null`: the call goes on whatever happens. */
  readonly signal: AbortSignal | null;
  /** What is sent on: filters change it, and each try adds what is the endpoint's own. */
  readonly headers: Headers;
  readonly trail: Trail;
}

/** A copy for a mirror says so, in this header, to whoever gets it: `1`. */
export const MIRRORED_HEADER = "x-selvedge-mirrored";

/** Fields of earlier hosts of the mesh, as they came. */
export interface Told {
  /** What is left of the call's time. Believed of anybody: it only shortens. */
  readonly deadline: string | null;
  /** Whether an earlier host tries again. */
  readonly retry: string | null;
  readonly priority: Priority | null;
}

/** Nothing is known from earlier hosts. */
export const NOTHING_TOLD: Told = { deadline: null, retry: null, priority: null };

const NO_FIELDS = [] as const;

/** A trail of a call of which nothing is known yet. */
export function startTrail(arrivedAt: Millis, requestId: string, method: string): Trail {
  return {
    arrivedAt,
    requestId,
    method,
    path: "",
    hops: 0,
    source: "",
    destination: "",
    version: "",
    route: "",
    endpoint: "",
    tries: 0,
    isMetered: true,
    decider: "",
    user: null,
    limitFields: NO_FIELDS,
    edits: NO_FIELDS,
  };
}

/** `namespace/name` of a workload. */
export function workloadOf(caller: Caller): string {
  return `${caller.namespace}/${caller.serviceAccount}`;
}
