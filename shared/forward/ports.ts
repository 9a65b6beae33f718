/**
 * What the loop needs from the host that it runs in. Everything that touches
 * time, chance, the network or an object comes through here.
 *
 * @module
 */
import type { Address, Endpoint } from "../engine/endpoint.ts";
import type { Grant } from "../engine/limit-lease.ts";
import type { Locality } from "../engine/locality.ts";
import type { CompilePattern } from "../engine/route.ts";
import type { Millis } from "../engine/time.ts";
import type { CallReport } from "../wire/call-record.ts";
import type { Outcome } from "../wire/problem.ts";
import type { IssuedToken } from "../wire/authority-rpc.ts";
import type { SyncAnswer, SyncRequest } from "../wire/registry-rpc.ts";
import type {
  CircuitReport,
  LeaseRequest,
  OutcomeReport,
  SpendRequest,
  Spent,
  TakeRequest,
  Taken,
} from "../wire/rpc.ts";

/** The control plane, as a host reaches it: objects for the edge, the `MESH` binding for the library. */
export interface Control {
  sync(request: SyncRequest): Promise<SyncAnswer>;
  report(report: CallReport): Promise<void>;
  reportCircuits(service: string, reports: readonly CircuitReport[]): Promise<void>;
  /** `forMs`: how long the grant excludes others. */
  claimProbe(service: string, endpoint: string, reporter: string, forMs?: number): Promise<boolean>;
  reportOutcomes(service: string, report: OutcomeReport): Promise<void>;
  take(request: TakeRequest): Promise<Taken>;
  lease(request: LeaseRequest): Promise<Grant>;
  /** Spends a token that was shown to this host. */
  spend(request: SpendRequest): Promise<Spent>;
  /** A token that tells `audience` that `workload` calls. */
  token(workload: string, audience: string): Promise<Outcome<IssuedToken>>;
}

/** The service that a call goes to: what policy calls its host and port. */
export interface Destination {
  /** `namespace/name`. */
  readonly service: string;
  readonly port: number;
}

export interface Way {
  /** Scheme and authority of the URL to ask; `null` for the authority that the backend is to see. */
  readonly origin: string | null;
  /** Whether the call carries a peer token: only a way that keeps it secret, to where it is understood. */
  readonly carriesToken: boolean;
}

/** A rate-limit binding of the platform: counts per location, and roughly. */
export interface Limiter {
  limit(options: { readonly key: string }): Promise<{ readonly success: boolean }>;
}

/** A response that the host stands in the middle of. */
export interface Held {
  /** Takes the place of the one that was held. */
  readonly response: Response;
  isOpen(): boolean;
  /** Ends it for both sides: a WebSocket with the code 1008 (policy violation), a stream with an error. */
  cut(): void;
}

/** Reads and verifies tokens of end users. */
export type UserTokens = typeof import("../identity/user-token.ts");

export interface Ports {
  now(): Millis;
  random(): number;
  sleep(ms: Millis): Promise<void>;
  /** Calls `act` once after `ms`, unless the function that it returns was called before. */
  timer(ms: Millis, act: () => void): () => void;
  /** Where this host is; `null` when it does not know. */
  locality(): Locality | null;
  /** How this host gets to an endpoint. Decided for every try: bindings differ between Workers. */
  wayTo(endpoint: Endpoint): Way;
  /**
   * Sends one try to an endpoint. Rejects when no response headers came; the
   * error is a `SendError` when the host knows more.
   */
  send(endpoint: Endpoint, request: Request, destination: Destination): Promise<Response>;
  /**
   * Asks somebody who is no endpoint: an authorizer, an issuer of tokens.
   * Redirects are not followed. Rejects when the host has no way there.
   */
  ask(address: Address, request: Request): Promise<Response>;
  /** Stands in the middle of a response that stays open; `null` when it has nothing that could. */
  hold(response: Response): Held | null;
  /** The host's rate-limit binding of a name; `null` when it has none. */
  limiter(name: string): Limiter | null;
  /**
   * Aborts when whoever called this invocation has gone; `null` where nobody
   * calls. What is held then is given back by a listener: the invocation may
   * end before anything that waits goes on.
   */
  departure(): AbortSignal | null;
  /** Keeps the host alive for work after the answer (`waitUntil`). */
  defer(work: Promise<unknown>): void;
  /** One access-log line. */
  log(line: Readonly<Record<string, unknown>>): void;
  /** Loads what compiles regular expressions: larger than all the rest, and most hosts never need it. */
  patterns(): Promise<CompilePattern>;
  /** Loads what verifies tokens of end users: only hosts of which a policy asks it need that. */
  userTokens(): Promise<UserTokens>;
  readonly control: Control;
}

/** Why a try brought no response. */
export class SendError extends Error {
  override readonly name = "SendError";
  /** `connect-failure`: nothing was sent, so that a retry is safe for every method. */
  readonly kind: "connect-failure" | "reset";

  constructor(kind: "connect-failure" | "reset", options?: { cause?: unknown }) {
    super(kind, options);
    this.kind = kind;
  }
}
