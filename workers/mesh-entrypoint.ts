/**
 * What a Worker binds to when it joins the mesh. The binding's props say who
 * the Worker is: whoever deploys it sets them, and the platform delivers them.
 *
 * @module
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import { authorityOf } from "../durable-objects/env.ts";
import type { Env } from "../durable-objects/env.ts";
import type { Caller } from "../shared/engine/authorize.ts";
import type { Grant } from "../shared/engine/limit-lease.ts";
import { callerOf, parseWorkload } from "../shared/identity/spiffe.ts";
import { respond } from "../shared/forward/answers.ts";
import { workloadOf } from "../shared/forward/call.ts";
import { requestIdOf } from "../shared/forward/onward.ts";
import type { Control } from "../shared/forward/ports.ts";
import { refuse } from "../shared/forward/refusal.ts";
import type { CallReport } from "../shared/wire/call-record.ts";
import { fail } from "../shared/wire/problem.ts";
import type { Outcome, Problem } from "../shared/wire/problem.ts";
import type { IssuedToken } from "../shared/wire/authority-rpc.ts";
import type { SyncAnswer, SyncRequest } from "../shared/wire/registry-rpc.ts";
import type {
  CircuitReport,
  LeaseRequest,
  MeshApi,
  MeshProps,
  OutcomeReport,
  SpendRequest,
  Spent,
  TakeRequest,
  Taken,
} from "../shared/wire/rpc.ts";
import { controlOf } from "./edge/control.ts";
import { carryFromWorker } from "./edge/edge.ts";
import { isOwnLimit, reporterOf, vouchedCalls, vouchedCircuits } from "./vouch.ts";

const NOBODY: Problem = {
  code: "authn.missing",
  detail: "The binding to the mesh needs props: { namespace, serviceAccount }.",
};

/** The entrypoint `Mesh`. Refuses everything from a binding that does not say who it is. */
export class Mesh extends WorkerEntrypoint<Env, MeshProps> implements MeshApi {
  /** Carries a call: to a service by its name, or to the endpoint that the caller's own mesh has chosen. */
  override fetch(request: Request): Promise<Response> {
    const caller = this.#caller();
    if (caller === null) {
      const requestId = requestIdOf(request.headers, Math.random);
      return Promise.resolve(respond(refuse(NOBODY.code, NOBODY.detail), requestId, request.method));
    }
    return carryFromWorker(request, caller, { env: this.env, ctx: this.ctx });
  }

  async sync(request: SyncRequest): Promise<SyncAnswer> {
    return this.#known().control.sync(request);
  }

  /** Counts calls that the binding's own workload made, whatever the report says of who made them. */
  async report(report: CallReport): Promise<void> {
    const { caller, control } = this.#known();
    await control.report(vouchedCalls(caller, report));
  }

  async reportCircuits(service: string, reports: readonly CircuitReport[]): Promise<void> {
    const { caller, control } = this.#known();
    await control.reportCircuits(service, vouchedCircuits(caller, reports));
  }

  async claimProbe(service: string, endpoint: string, reporter: string, forMs?: number): Promise<boolean> {
    const { caller, control } = this.#known();
    return control.claimProbe(service, endpoint, reporterOf(caller, reporter), forMs);
  }

  async reportOutcomes(service: string, report: OutcomeReport): Promise<void> {
    const { caller, control } = this.#known();
    await control.reportOutcomes(service, { ...report, reporter: reporterOf(caller, report.reporter) });
  }

  /** Charges a limit of the binding's own namespace: to use up another's would have its callers refused. */
  async take(request: TakeRequest): Promise<Taken> {
    return this.#keeperOf(request).take(request);
  }

  /** As `take`. */
  async lease(request: LeaseRequest): Promise<Grant> {
    return this.#keeperOf(request).lease(request);
  }

  /** Spends a token that is for the binding's own workload: tokens for others were not shown to it. */
  async spend(request: SpendRequest): Promise<Spent> {
    const { caller, control } = this.#known();
    if (request.audience !== `spiffe://${caller.principal}`)
      throw new Error("The token is for somebody else.");
    return control.spend(request);
  }

  /** A token for the binding's own workload, which cannot be chosen by whoever calls this. */
  async token(audience: string): Promise<Outcome<IssuedToken>> {
    const caller = this.#caller();
    if (caller === null) return fail(NOBODY);
    return authorityOf(this.env).issue({ workload: workloadOf(caller), audience, requester: "binding" });
  }

  #keeperOf({ policy }: { readonly policy: string }): Control {
    const { caller, control } = this.#known();
    if (!isOwnLimit(caller, policy)) throw new Error("The limit is of another namespace.");
    return control;
  }

  #known(): { readonly caller: Caller; readonly control: Control } {
    const caller = this.#caller();
    if (caller === null) throw new Error(NOBODY.detail);
    return { caller, control: controlOf(this.env) };
  }

  /** Props come from another Worker's configuration: checked like any input. */
  #caller(): Caller | null {
    const { namespace, serviceAccount }: Partial<MeshProps> = this.ctx.props ?? {};
    if (typeof namespace !== "string" || typeof serviceAccount !== "string") return null;
    const workload = parseWorkload(`${namespace}/${serviceAccount}`);
    return workload === null ? null : callerOf({ trustDomain: this.env.SELVEDGE_TRUST_DOMAIN, ...workload });
  }
}
