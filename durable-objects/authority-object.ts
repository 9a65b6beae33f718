/**
 * The authority of one trust domain: it holds the keys that every token and
 * certificate of the mesh is signed with, and says what it has signed.
 *
 * Private keys lie in this object's storage, which the platform encrypts at
 * rest, and never leave it: no method answers with one. Whoever can deploy
 * this Worker can read them, and so is part of what the mesh trusts.
 *
 * @module
 */
import { DurableObject } from "cloudflare:workers";
import type { VerificationKey } from "../shared/engine/snapshot.ts";
import type { Millis } from "../shared/engine/time.ts";
import { generateSigningKey } from "../shared/identity/key.ts";
import type {
  AuditLine,
  AuditRequest,
  AuthorityApi,
  AuthorityStatus,
  CertificateRequest,
  GrantedJoinToken,
  IssuedCertificate,
  Joined,
  JoinRequest,
  JoinToken,
  JoinTokenRequest,
  LoadRequest,
  RenewRequest,
  Revocation,
  RevokeRequest,
  Rotation,
  TrustMaterial,
} from "../shared/wire/authority-rpc.ts";
import type { ChainPage, ChainRequest } from "../shared/wire/audit-chain.ts";
import { fail, succeed, type Outcome, type Problem } from "../shared/wire/problem.ts";
import type { IssuedToken, IssueRequest } from "../shared/wire/authority-rpc.ts";
import { AuditStore } from "./authority-audit.ts";
import { Issuance } from "./authority-issuance.ts";
import { Joining, type Admitted } from "./authority-joining.ts";
import { MAX_REVOCATIONS, RevocationStore } from "./authority-revocations.ts";
import { describeAuthority } from "./authority-status.ts";
import { AUTHORITY_MIGRATIONS, AuthorityStore } from "./authority-store.ts";
import { CertificateAuthority } from "./certificate-authority.ts";
import { registryOf, type Env } from "./env.ts";
import { checkIssue, subjectOf } from "./issue-check.ts";
import { forgottenAt, rotationDueAt } from "./key-ring.ts";
import { planRevocation } from "./revocation-check.ts";
import { migrate } from "./schema.ts";

/** How long to wait before telling the registry again what it could not hear. */
const PUBLISH_AGAIN_MS: Millis = 5_000;

/** When the alarm comes back if its handler dies on the way. */
const SAFETY_ALARM_MS: Millis = 60_000;

/** Old lines of the audit, and revocations that do not matter any more, go in batches, at most this late. */
const PRUNE_EVERY_MS: Millis = 3_600_000;

export class AuthorityObject extends DurableObject<Env> implements AuthorityApi {
  readonly #store: AuthorityStore;
  readonly #audit: AuditStore;
  readonly #revocations: RevocationStore;
  readonly #certificates: CertificateAuthority;
  readonly #issuance: Issuance;
  readonly #joining: Joining;
  /** The first start under way: callers that come meanwhile share it. */
  #starting: Promise<void> | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const { storage } = ctx;
    migrate(storage, AUTHORITY_MIGRATIONS);
    this.#store = new AuthorityStore(storage.sql);
    this.#audit = new AuditStore(storage.sql);
    this.#revocations = new RevocationStore(storage.sql);
    this.#certificates = new CertificateAuthority({
      storage,
      trustDomain: env.SELVEDGE_TRUST_DOMAIN,
      onRootsChanged: (now) => this.#store.advanceSequence(now),
    });
    const stores = {
      keys: this.#store,
      certificates: this.#certificates.store,
      audit: this.#audit,
      revocations: this.#revocations,
    };
    this.#issuance = new Issuance(stores);
    this.#joining = new Joining(storage, this.#issuance, stores, env.SELVEDGE_TRUST_DOMAIN);
  }

  /** Signs a token for a workload that the caller of this method has proved. */
  async issue(request: IssueRequest): Promise<Outcome<IssuedToken>> {
    const checked = checkIssue(request, this.env.SELVEDGE_TRUST_DOMAIN);
    if (!checked.ok) return fail(checked.problem);
    await this.#start();
    const recorded = this.ctx.storage.transactionSync(() => this.#issuance.recordToken(checked.value));
    const token = await this.#issuance.signToken(recorded);
    await this.#rearm();
    return succeed(token);
  }

  /** Signs a certificate for a workload that the caller of this method has proved. */
  async certify(request: CertificateRequest): Promise<Outcome<IssuedCertificate>> {
    const checked = await this.#issuance.checkCertificate(request, this.env.SELVEDGE_TRUST_DOMAIN);
    if (!checked.ok) return fail(checked.problem);
    await this.#startCertificates();
    const recorded = this.ctx.storage.transactionSync(() => this.#issuance.recordCertificate(checked.value));
    if (!recorded.ok) return fail(recorded.problem);
    const certificate = await this.#issuance.signCertificate(recorded.value);
    await this.#rearm();
    return succeed(certificate);
  }

  /** All public keys whose signatures count: current, next, previous ones. */
  async keys(): Promise<readonly VerificationKey[]> {
    await this.#start();
    await this.#rearm();
    return this.#store.publicKeys();
  }

  async bundle(): Promise<TrustMaterial> {
    await this.#startCertificates();
    await this.#rearm();
    const { sequence } = this.#store.sequence();
    return { sequence, roots: this.#certificates.store.trusted(), keys: this.#store.publicKeys() };
  }

  async status(): Promise<AuthorityStatus> {
    await this.#startCertificates();
    await this.#rearm();
    const ring = this.#certificates.store.ring();
    if (ring === null) throw new Error("the authority has no certificates");
    return describeAuthority({
      trustDomain: this.env.SELVEDGE_TRUST_DOMAIN,
      certificates: ring,
      keys: this.#store.ring(),
      issued: this.#audit.count(),
      revoked: this.#revocations.count(),
      sequence: this.#store.sequence(),
      now: Date.now(),
    });
  }

  /**
   * Lets the next key take over: at once if the registry has had it for a
   * minute, else as soon as that is so. Asking again while a rotation waits
   * asks for the same one.
   */
  async rotate(): Promise<readonly VerificationKey[]> {
    await this.#start();
    this.#store.want();
    await this.#rearm();
    await this.#advance();
    await this.#arm();
    return this.#store.publicKeys();
  }

  async turn(what: Rotation): Promise<Outcome<AuthorityStatus>> {
    await this.#startCertificates();
    if (what === "intermediate") {
      const replaced = await this.#certificates.replaceIntermediate();
      if (!replaced.ok) return fail(replaced.problem);
    }
    if (what === "root") await this.#certificates.addNextRoot();
    if (what === "signing-key") this.#store.want();
    await this.#settle();
    return succeed(await this.status());
  }

  async load(request: LoadRequest): Promise<Outcome<AuthorityStatus>> {
    const { readUpstream } = await import("../shared/identity/certificate-chain.ts");
    const upstream = await readUpstream(request, this.env.SELVEDGE_TRUST_DOMAIN, Date.now());
    if ("refusal" in upstream) {
      return fail({ code: "config.invalid", detail: `Nothing was loaded: ${upstream.refusal}.` });
    }
    await this.#startCertificates();
    const adopted = await this.#certificates.adopt(upstream);
    if (!adopted.ok) return fail(adopted.problem);
    await this.#settle();
    return succeed(await this.status());
  }

  /** Writes the revocation down and tells the registry, or lets the alarm tell it. */
  async revoke(request: RevokeRequest): Promise<Outcome<Revocation>> {
    await this.#start();
    const { SELVEDGE_TRUST_DOMAIN } = this.env;
    const planned = planRevocation(request, SELVEDGE_TRUST_DOMAIN, this.#audit, Date.now());
    if (!planned.ok) return planned;
    if (this.#revocations.count() >= MAX_REVOCATIONS) return fail(FULL);
    this.ctx.storage.transactionSync(() => {
      this.#revocations.put(planned.value);
      this.#store.advanceSequence(Date.now());
    });
    await this.#settle();
    return planned;
  }

  async revocations(): Promise<readonly Revocation[]> {
    return this.#revocations.list();
  }

  async audit({ limit, before = Infinity, workload }: AuditRequest): Promise<Outcome<readonly AuditLine[]>> {
    const subject = workload === undefined ? null : subjectOf(workload, this.env.SELVEDGE_TRUST_DOMAIN);
    if (workload !== undefined && subject === null) {
      return refuseField("workload", "write namespace/service-account");
    }
    const page = { limit: Math.min(Math.max(limit, 1), MAX_PAGE), subject };
    return succeed(this.#audit.list({ ...page, before: Math.min(before, Number.MAX_SAFE_INTEGER) }));
  }

  async chain(request: ChainRequest): Promise<ChainPage> {
    return this.#audit.chain(request);
  }

  async createJoinToken(request: JoinTokenRequest): Promise<Outcome<GrantedJoinToken>> {
    return this.#joining.create(request);
  }

  async joinTokens(): Promise<readonly JoinToken[]> {
    return this.#joining.list();
  }

  async deleteJoinToken(id: string): Promise<Outcome<JoinToken>> {
    return this.#joining.delete(id);
  }

  async join(request: JoinRequest): Promise<Outcome<Joined>> {
    return this.#joinAs(await this.#joining.admit(request));
  }

  async renew(request: RenewRequest): Promise<Outcome<Joined>> {
    return this.#joinAs(await this.#joining.admitAgain(request));
  }

  async #joinAs(admitted: Outcome<Admitted>): Promise<Outcome<Joined>> {
    if (!admitted.ok) return fail(admitted.problem);
    if (admitted.value.certificate === null) await this.#start();
    else await this.#startCertificates();
    const joined = await this.#joining.join(admitted.value);
    await this.#rearm();
    return joined;
  }

  /** Rotates, forgets and publishes what is due. Running twice, early or late does no harm. */
  override async alarm(): Promise<void> {
    try {
      await this.ctx.storage.setAlarm(Date.now() + SAFETY_ALARM_MS);
      await this.#advance();
      await this.#arm();
    } catch (error) {
      // Thrown errors are retried six times and then the alarm is gone; the safety alarm stays.
      console.error("authority: alarm failed", error);
    }
  }

  /** Makes the first two keys. The first caller waits until the registry knows them, or cannot be told. */
  async #start(): Promise<void> {
    if (this.#store.signingKey() !== null) return;
    this.#starting ??= this.#makeFirstKeys().finally(() => {
      this.#starting = null;
    });
    await this.#starting;
  }

  async #makeFirstKeys(): Promise<void> {
    const [current, next] = await Promise.all([generateSigningKey(), generateSigningKey()]);
    this.ctx.storage.transactionSync(() => this.#store.start(current, next, Date.now()));
    await this.#rearm();
    await this.#publish();
    await this.#arm();
  }

  /** Makes the first root and intermediate, and tells the registry. */
  async #startCertificates(): Promise<void> {
    await this.#start();
    if (this.#certificates.store.ring() !== null) return;
    await this.#certificates.start();
    await this.#publish();
  }

  /** Does what is due after something was asked for; the alarm does it too if this instance does not get there. */
  async #settle(): Promise<void> {
    await this.#rearm();
    await this.#advance();
    await this.#arm();
  }

  async #advance(): Promise<void> {
    if (this.#isRotationDue()) await this.#rotateKeys();
    await this.#certificates.advance();
    this.ctx.storage.transactionSync(() => {
      const now = Date.now();
      this.#store.prune(now);
      this.#audit.prune(now);
      if (this.#revocations.prune(now)) this.#store.advanceSequence(now);
    });
    await this.#publish();
  }

  #isRotationDue(): boolean {
    return (rotationDueAt(this.#store.ring()) ?? Infinity) <= Date.now();
  }

  async #rotateKeys(): Promise<void> {
    const fresh = await generateSigningKey();
    this.ctx.storage.transactionSync(() => {
      // Another call may have rotated while the key was made.
      if (this.#isRotationDue()) this.#store.rotate(fresh, Date.now());
    });
  }

  async #publish(): Promise<void> {
    const { sequence, published } = this.#store.sequence();
    if (published >= sequence) return;
    const keys = this.#store.publicKeys();
    const roots = this.#certificates.store.trusted().map(({ certificate }) => certificate);
    const revoked = this.#revocations.published();
    try {
      await registryOf(this.env).publishTrust({ sequence, keys, roots, revoked });
    } catch (error) {
      // The alarm tries again; until then no unpublished key signs.
      console.warn("authority: the keys could not be published, will try again", error);
      return;
    }
    this.ctx.storage.transactionSync(() => {
      this.#store.markPublished(sequence, keys, Date.now());
      this.#certificates.store.markPublished(roots, Date.now());
    });
  }

  /** When there is work next. */
  #nextWake(now: Millis): Millis {
    const { sequence, published } = this.#store.sequence();
    const ring = this.#store.ring();
    const prune = Math.min(this.#audit.nextPrune() ?? Infinity, this.#revocations.nextPrune() ?? Infinity);
    return Math.min(
      published < sequence ? now + PUBLISH_AGAIN_MS : Infinity,
      rotationDueAt(ring) ?? Infinity,
      ...ring.keys.map((key) => forgottenAt(key) ?? Infinity),
      this.#certificates.nextWake(),
      Math.ceil(prune / PRUNE_EVERY_MS) * PRUNE_EVERY_MS,
    );
  }

  /** Makes up for a lost alarm or one that is too late. One that is early costs little and is left. */
  async #rearm(): Promise<void> {
    const next = this.#nextWake(Date.now());
    const armed = await this.ctx.storage.getAlarm();
    if (armed === null || armed > next) await this.#arm();
  }

  async #arm(): Promise<void> {
    const next = this.#nextWake(Date.now());
    if (next < Infinity) await this.ctx.storage.setAlarm(next);
  }
}

/** Lines in one answer of the audit. */
const MAX_PAGE = 1_000;

const FULL: Problem = {
  code: "config.conflict",
  detail: `${MAX_REVOCATIONS} revocations are in force, which is all that hosts hold. Revoke identities instead.`,
};

function refuseField(path: string, message: string): Outcome<never> {
  return fail({
    code: "request.malformed",
    detail: "The request cannot be granted.",
    fields: [{ path, message }],
  });
}
