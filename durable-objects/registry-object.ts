/**
 * The registry: the mesh's configuration, its history, and the compiled units
 * that hosts pull. It sees changes only, never requests or heartbeats.
 *
 * Every method is synchronous inside, so that calls happen one after another
 * and none sees half of another. Storage is the truth; the world in memory is
 * a cache, rebuilt from storage when it is missing or may be wrong.
 *
 * @module
 */
import { DurableObject } from "cloudflare:workers";
import { affected } from "../shared/compile/affected.ts";
import { statusOf } from "../shared/compile/conditions.ts";
import { countServices, servicesOf } from "../shared/compile/status.ts";
import { warnings } from "../shared/compile/warnings.ts";
import * as world from "../shared/compile/world.ts";
import { DIRECTORY, type UnitKey } from "../shared/engine/snapshot.ts";
import type { ChainPage, ChainRequest } from "../shared/wire/audit-chain.ts";
import type { PolicyPreview } from "../shared/wire/policy-preview.ts";
import { succeed, type FieldProblem, type Outcome } from "../shared/wire/problem.ts";
import { resourceKey, type Resource, type ResourceRef } from "../shared/wire/resource.ts";
import type {
  ApplyAnswer,
  ApplyRequest,
  Difference,
  EjectionPublication,
  EndpointPublication,
  KeyPublication,
  ListRequest,
  MeshStatus,
  PreviewRequest,
  RegistryApi,
  Revision,
  RevisionFilter,
  ServiceStatus,
  SyncAnswer,
  SyncRequest,
  TrustPublication,
} from "../shared/wire/registry-rpc.ts";
import type { Via } from "../shared/wire/rpc.ts";
import type { Env } from "./env.ts";
import { Errands } from "./errands.ts";
import { HealthOrders } from "./health-orders.ts";
import { invert, isSameContent, planRestore, type Step } from "./registry-change.ts";
import {
  compile,
  compileChange,
  isOverfull,
  keepSmall,
  loadWorld,
  move,
  type Compiled,
} from "./registry-world.ts";
import { REGISTRY_MIGRATIONS, RegistryStore, type Topic } from "./registry-store.ts";
import { answerSync } from "./registry-sync.ts";
import { RegistryWatch } from "./registry-watch.ts";
import { crowding } from "./registry-crowding.ts";
import { clashes } from "./registry-foreign.ts";
import { planDeletion, planDocuments, withDeletions, type Ground } from "./registry-plan.ts";
import { previewOf } from "./registry-preview.ts";
import { invalid, notFound, unknownRevision } from "./registry-refusals.ts";
import { readOwners, seizures } from "./registry-tenancy.ts";
import { overgrown, overweight } from "./registry-weight.ts";
import { migrate } from "./schema.ts";
import { SnapshotOutbox } from "./snapshot-outbox.ts";
import { UnitStore } from "./unit-store.ts";

/**
 * Raise it when a release compiles the same resources to other units, or has
 * other orders for health objects: the registry then compiles everything anew
 * at its first start.
 */
const COMPILER = 8;

/** How a change came about, and whether it is meant. */
interface Cause {
  readonly author: string;
  readonly via?: Via | undefined;
  readonly reason: string;
  readonly isDryRun?: boolean;
  /** What translating the documents brought to light. */
  readonly notes?: readonly string[];
  /** Whose hosts are not to be taken from others. Absent: an admin's change, who may. */
  readonly namespaces?: readonly string[] | undefined;
}

/** What a change does to units: those that it may touch, and those that it does. */
interface Effect {
  readonly keys: Iterable<UnitKey>;
  readonly compiled: Compiled;
}

export class RegistryObject extends DurableObject<Env> implements RegistryApi {
  readonly #store: RegistryStore;
  readonly #units: UnitStore;
  readonly #orders: HealthOrders;
  readonly #snapshots: SnapshotOutbox;
  readonly #errands: Errands;
  readonly #watch = new RegistryWatch();
  #world: world.World | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    migrate(ctx.storage, REGISTRY_MIGRATIONS);
    this.#store = new RegistryStore(ctx.storage.sql);
    this.#units = new UnitStore(ctx.storage.sql);
    this.#orders = new HealthOrders(ctx.storage, env);
    this.#snapshots = new SnapshotOutbox(ctx.storage, env, this.#units);
    this.#errands = new Errands(ctx.storage, [this.#orders, this.#snapshots]);
    this.#compileAnewIfNeeded();
    void ctx.blockConcurrencyWhile(() => this.#errands.rearm());
  }

  /** Tells health objects what to check, and stores units outside. Running twice, early or late does no harm. */
  override async alarm(): Promise<void> {
    await this.#errands.run();
  }

  /** Creates and configures resources: all of the documents or none. */
  async apply(request: ApplyRequest): Promise<Outcome<ApplyAnswer>> {
    const { author, via, dryRun, namespaces } = request;
    const plan = planDocuments(request, this.#ground());
    if (!plan.ok) return plan;
    const { steps, notes } = plan.value;
    return this.#change(steps, {
      author,
      via,
      reason: "apply",
      isDryRun: dryRun ?? false,
      notes,
      namespaces,
    });
  }

  /** Deletes resources: all of them, or none when one does not exist. */
  async remove(refs: readonly ResourceRef[], author: string, via?: Via): Promise<Outcome<ApplyAnswer>> {
    const steps = planDeletion(refs, this.#store);
    return steps.ok ? this.#change(steps.value, { author, via, reason: "delete" }) : steps;
  }

  /** What a change would make of the policies of some units. Whatever an apply would refuse is refused. */
  async preview(request: PreviewRequest): Promise<Outcome<PolicyPreview>> {
    const plan = planDocuments(request, this.#ground());
    if (!plan.ok) return plan;
    const deletion = planDeletion(request.refs, this.#store);
    if (!deletion.ok) return deletion;
    const steps = withDeletions(plan.value.steps, deletion.value);
    let seen: ReturnType<typeof previewOf> = { touched: [], omitted: [] };
    const { namespaces } = request;
    const cause = { author: "", reason: "preview", isDryRun: true, namespaces };
    const changed = this.#change(steps, cause, (compiled) => {
      seen = previewOf(this.#units, compiled, request.units);
    });
    return changed.ok ? succeed({ revision: changed.value.revision, ...seen }) : changed;
  }

  /** Makes a new revision with the content of an earlier one. */
  async rollback(revision: number, author: string, via?: Via): Promise<Outcome<ApplyAnswer>> {
    if (!this.#store.isKnown(revision)) return unknownRevision(revision);
    const touched = this.#store.changedBetween(revision, this.#store.revision());
    const steps = touched.flatMap(({ key }) => {
      const step = planRestore(key, this.#store.resourceAt(key, revision), this.#find);
      return step === null || step.change === "unchanged" ? [] : [step];
    });
    return this.#change(steps, { author, via, reason: `rollback to ${revision}` });
  }

  async list(request: ListRequest): Promise<readonly Resource[]> {
    const current = this.#loadWorld();
    return [...this.#store.resources(request)].map((resource) => withStatus(current, resource));
  }

  async get(ref: ResourceRef): Promise<Outcome<Resource>> {
    const resource = this.#store.resource(resourceKey(ref));
    return resource === null ? notFound([ref]) : succeed(withStatus(this.#loadWorld(), resource));
  }

  /** Newest first; at least 1 and at most 1,000, if there are any. */
  async revisions(limit: number, filter?: RevisionFilter): Promise<readonly Revision[]> {
    return this.#store.revisions(limit, filter);
  }

  async chain(request: ChainRequest): Promise<ChainPage> {
    return this.#store.chain(request);
  }

  /** What differs between two known revisions, in either direction; equal resources are left out. */
  async diff(from: number, to: number): Promise<Outcome<readonly Difference[]>> {
    const unknown = [from, to].find((revision) => !this.#store.isKnown(revision));
    if (unknown !== undefined) return unknownRevision(unknown);
    const touched = this.#store.changedBetween(Math.min(from, to), Math.max(from, to));
    const differences = touched.map(({ key, ref }) => ({
      ref,
      before: this.#store.resourceAt(key, from),
      after: this.#store.resourceAt(key, to),
    }));
    return succeed(differences.filter(({ before, after }) => !isSameContent(before, after)));
  }

  async services(namespace: string | null): Promise<readonly ServiceStatus[]> {
    return servicesOf(this.#loadWorld(), namespace, Date.now());
  }

  async status(): Promise<MeshStatus> {
    return {
      trustDomain: this.env.SELVEDGE_TRUST_DOMAIN,
      revision: this.#store.revision(),
      version: this.#units.version(),
      resources: this.#store.countResources(),
      ...countServices(servicesOf(this.#loadWorld(), null, Date.now())),
      store: this.#snapshots.status(),
    };
  }

  /** Answers at once, or holds an answer that would tell nothing until it does, or until its time is over. */
  async sync(request: SyncRequest): Promise<SyncAnswer> {
    const answer = answerSync(this.#units, request);
    const isNews = answer.units.length > 0 || answer.missing.length > 0;
    if (isNews || request.waitMs === undefined || request.wanted.length > 0) return answer;
    await this.#watch.next(request.held, request.waitMs);
    return answerSync(this.#units, request);
  }

  async publishEndpoints(publication: EndpointPublication): Promise<void> {
    const { service, sequence, endpoints, checked, ejections } = publication;
    // What is known of the endpoints that are there counts all the same.
    if (!isOverfull(this.#loadWorld(), service, endpoints)) {
      this.#publish("endpoints", service, { sequence, body: endpoints }, (current) =>
        world.setRegistered(current, service, endpoints),
      );
    }
    if (checked !== undefined) {
      this.#publish("checks", service, { sequence, body: checked }, (current) =>
        world.setChecked(current, service, checked),
      );
    }
    if (ejections === undefined) return;
    this.#publish("outliers", service, { sequence, body: ejections }, (current) =>
      world.setOutliers(current, service, ejections),
    );
  }

  async publishEjections({ service, sequence, ejected }: EjectionPublication): Promise<void> {
    this.#publish("ejections", service, { sequence, body: ejected }, (current) =>
      world.setEjected(current, service, ejected),
    );
  }

  async publishKeys({ sequence, keys }: KeyPublication): Promise<void> {
    this.#publish("keys", "", { sequence, body: keys }, (current) => world.setKeys(current, keys));
  }

  async publishTrust({ sequence, ...body }: TrustPublication): Promise<void> {
    this.#publish("trust", "", { sequence, body }, (current) => world.setTrust(current, body));
  }

  #ground(): Ground {
    return {
      store: this.#store,
      world: this.#loadWorld(),
      ownership: {
        bindings: readOwners(this.env.SELVEDGE_BINDING_NAMESPACES),
        countWith: (namespace, keys) => this.#store.countWith(namespace, keys),
      },
      allowsPrivateEndpoints: this.env.SELVEDGE_PRIVATE_ENDPOINTS === "allow",
    };
  }

  readonly #find = (key: string): Resource | null => this.#store.resource(key);

  /**
   * Carries out planned steps as one revision. The world moves first, because
   * only it can tell what is compiled and what dangles; it moves back when the
   * change is not to be, and is thrown away when anything fails on the way.
   */
  #change(
    planned: readonly Step[],
    cause: Cause,
    look: (compiled: Compiled) => void = () => undefined,
  ): Outcome<ApplyAnswer> {
    const steps = planned.filter((step) => step.change !== "unchanged");
    const current = this.#loadWorld();
    try {
      const keys = move(current, steps);
      world.dropRunOut(current, keys, Date.now());
      const { compiled, problems: limits } = compileChange(current, this.#units, keys);
      const clashing = clashes(current, steps, this.#find);
      // A world in which two resources had one place cannot be moved back.
      if (clashing.length > 0) this.#world = null;
      if (clashing.length > 0) return invalid(clashing);
      const heavy = overweight(steps, (namespace) => this.#store.weigh(namespace), cause.namespaces);
      const problems = [...limits, ...heavy, ...this.#encroachments(compiled, cause)];
      const dangling = warnings(
        current,
        planned.map((step) => step.ref),
      );
      const isMeant = problems.length === 0 && cause.isDryRun !== true;
      if (!isMeant) move(current, invert(steps));
      if (problems.length > 0) return invalid(problems);
      look(compiled);
      if (isMeant && steps.length > 0) this.#commit({ keys, compiled }, () => this.#record(steps, cause));
      const changes = planned.map(({ ref, change }) => ({ ref, change }));
      return succeed({
        revision: this.#store.revision(),
        changes,
        warnings: [...(cause.notes ?? []), ...dangling],
      });
    } catch (error) {
      this.#world = null;
      throw error;
    }
  }

  /** What those who own some namespaces would take from others, and from the mesh. */
  #encroachments(compiled: Compiled, { namespaces }: Cause): FieldProblem[] {
    if (namespaces === undefined) return [];
    const after = compiled.get(DIRECTORY) ?? null;
    const seized = after === null ? [] : seizures(this.#units.unit(DIRECTORY), JSON.parse(after), namespaces);
    return [
      ...seized,
      ...crowding({ world: this.#loadWorld(), units: this.#units }, compiled, namespaces),
      ...overgrown(compiled, this.#units, namespaces),
    ];
  }

  #record(steps: readonly Step[], { author, via, reason }: Cause): void {
    const revision = this.#store.revision() + 1;
    const head = { revision, at: Date.now(), author, reason, ...(via === undefined ? {} : { via }) };
    this.#store.record(head, steps);
  }

  /** Writes a change, what it compiles to, and what follows for health checks: all of it or nothing. */
  #commit({ keys, compiled }: Effect, write: () => void): void {
    this.ctx.storage.transactionSync(() => {
      write();
      this.#units.write(compiled, this.#snapshots.settled());
      this.#orders.update(this.#loadWorld(), keys);
      if (compiled.size > 0) this.#snapshots.update();
      this.#errands.arm();
    });
    this.#watch.tell(compiled.keys());
  }

  /**
   * Takes over published state, once per sequence. A unit that would grow too
   * large stays as it is: publishers cannot do better, and hosts keep what works.
   */
  #publish(
    topic: Topic,
    service: string,
    publication: { readonly sequence: number; readonly body: unknown },
    set: (current: world.World) => Iterable<UnitKey>,
  ): void {
    if (publication.sequence <= this.#store.sequence(topic, service)) return;
    const current = this.#loadWorld();
    try {
      const keys = [...set(current)];
      world.dropRunOut(current, keys, Date.now());
      const compiled = keepSmall(compile(current, this.#units, keys));
      this.#commit({ keys, compiled }, () => this.#store.publish(topic, service, publication));
    } catch (error) {
      this.#world = null;
      throw error;
    }
  }

  #loadWorld(): world.World {
    this.#world ??= loadWorld(this.#store, this.env.SELVEDGE_TRUST_DOMAIN);
    return this.#world;
  }

  /** On the very first start, and when a release compiles otherwise or the trust domain is another. */
  #compileAnewIfNeeded(): void {
    const compiler = `${COMPILER} ${this.env.SELVEDGE_TRUST_DOMAIN}`;
    if (this.#store.fact("compiler") === compiler) return;
    try {
      const keys = this.#allKeys();
      const compiled = keepSmall(compile(this.#loadWorld(), this.#units, keys));
      this.#commit({ keys, compiled }, () => this.#store.setFact("compiler", compiler));
    } catch (error) {
      // Hosts are better served by what the previous release compiled than by no registry; the next start tries again.
      console.error("registry: could not compile what is stored", error);
      this.#world = null;
    }
  }

  #allKeys(): ReadonlySet<UnitKey> {
    const current = this.#loadWorld();
    const keys = new Set([DIRECTORY, ...this.#units.keys()]);
    for (const resource of this.#store.resources({})) {
      for (const key of affected(current, resource)) keys.add(key);
    }
    return keys;
  }
}

function withStatus(current: world.World, resource: Resource): Resource {
  const status = statusOf(current, resource);
  return status === null ? resource : { ...resource, status };
}
