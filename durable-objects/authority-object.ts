/**
 * The authority of one trust domain: it holds the keys that every token of
 * the mesh is signed with, and says what it has signed.
 *
 * Private keys lie in this object's storage, which the platform encrypts at
 * rest, and never leave it: no method answers with one. Whoever can deploy
 * this Worker can read them, and so is part of what the mesh trusts.
 *
 * @module
 */
import { DurableObject } from "cloudflare:workers";
import type { CryptoKey } from "jose";
import type { VerificationKey } from "../shared/engine/snapshot.ts";
import type { Millis } from "../shared/engine/time.ts";
import { generateSigningKey, importSigningKey } from "../shared/identity/key.ts";
import { sign } from "../shared/identity/token.ts";
import { fail, succeed, type Outcome } from "../shared/wire/problem.ts";
import type { AuthorityApi, IssuedToken, IssueRequest } from "../shared/wire/rpc.ts";
import { AUTHORITY_MIGRATIONS, AuthorityStore, type SigningRow } from "./authority-store.ts";
import { registryOf, type Env } from "./env.ts";
import { checkIssue, type Grant } from "./issue-check.ts";
import { forgottenAt, rotationDueAt } from "./key-ring.ts";
import { migrate } from "./schema.ts";

/** How long to wait before telling the registry again what it could not hear. */
const PUBLISH_AGAIN_MS: Millis = 5_000;

/** When the alarm comes back if its handler dies on the way. */
const SAFETY_ALARM_MS: Millis = 60_000;

/** Old lines of the audit go in batches, at most this late. */
const PRUNE_EVERY_MS: Millis = 3_600_000;

export class AuthorityObject extends DurableObject<Env> implements AuthorityApi {
  readonly #store: AuthorityStore;
  /** The imported current key: a cache, asked for by `kid`. */
  #signing: { readonly kid: string; readonly privateKey: CryptoKey } | null = null;
  /** The first start under way: callers that come meanwhile share it. */
  #starting: Promise<void> | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    migrate(ctx.storage, AUTHORITY_MIGRATIONS);
    this.#store = new AuthorityStore(ctx.storage.sql);
  }

  /**
   * Signs a token for a workload that the caller of this method has proved.
   * The key is read and the audit written in one transaction before anything
   * is signed: an instance that the platform has replaced cannot write, so it
   * cannot answer with a token either, and no token goes out unrecorded.
   */
  async issue(request: IssueRequest): Promise<Outcome<IssuedToken>> {
    const checked = checkIssue(request, this.env.SELVEDGE_TRUST_DOMAIN);
    if (!checked.ok) return fail(checked.problem);
    await this.#start();

    const grant = checked.value;
    const id = crypto.randomUUID();
    const issuedAt = Math.floor(Date.now() / 1000) * 1000;
    const expiresAt = issuedAt + grant.ttlMs;
    const key = this.#record(grant, { id, issuedAt, expiresAt });
    const token = await sign({ ...grant, id, issuedAt, expiresAt }, await this.#import(key));
    await this.#rearm();
    return succeed({ token, id, subject: grant.subject, expiresAt });
  }

  /** All public keys whose signatures count: current, next, previous ones. */
  async keys(): Promise<readonly VerificationKey[]> {
    await this.#start();
    await this.#rearm();
    return this.#store.publicKeys();
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

  #record(grant: Grant, token: { id: string; issuedAt: Millis; expiresAt: Millis }): SigningRow {
    const { subject, audience } = grant;
    return this.ctx.storage.transactionSync(() => {
      const key = this.#store.signingKey();
      if (key === null) throw new Error("the authority has no current key");
      this.#store.recordIssued({ ...token, kid: key.kid, subject, audience });
      return key;
    });
  }

  async #import({ kid, privateJwk }: SigningRow): Promise<{ kid: string; privateKey: CryptoKey }> {
    if (this.#signing?.kid === kid) return this.#signing;
    this.#signing = { kid, privateKey: await importSigningKey(privateJwk) };
    return this.#signing;
  }

  async #advance(): Promise<void> {
    if (this.#isRotationDue()) await this.#rotateKeys();
    this.ctx.storage.transactionSync(() => this.#store.prune(Date.now()));
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
    try {
      await registryOf(this.env).publishKeys({ sequence, keys });
    } catch (error) {
      // The alarm tries again; until then no unpublished key signs.
      console.warn("authority: the keys could not be published, will try again", error);
      return;
    }
    this.ctx.storage.transactionSync(() => this.#store.markPublished(sequence, keys, Date.now()));
  }

  /** When there is work next. */
  #nextWake(now: Millis): Millis {
    const { sequence, published } = this.#store.sequence();
    const ring = this.#store.ring();
    const issuedUntil = this.#store.issuedUntil();
    return Math.min(
      published < sequence ? now + PUBLISH_AGAIN_MS : Infinity,
      rotationDueAt(ring) ?? Infinity,
      ...ring.keys.map((key) => forgottenAt(key) ?? Infinity),
      issuedUntil === null ? Infinity : Math.ceil(issuedUntil / PRUNE_EVERY_MS) * PRUNE_EVERY_MS,
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
