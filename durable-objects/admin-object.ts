/**
 * The admin plane's own state: tokens for the admin API, the audit log of
 * what is not a revision, and who fails to authenticate too often.
 *
 * @module
 */
import { DurableObject } from "cloudflare:workers";
import type { Millis } from "../shared/engine/time.ts";
import type { Principal } from "../shared/wire/access.ts";
import { fail, succeed, type Outcome } from "../shared/wire/problem.ts";
import type {
  AccessToken,
  AdminApi,
  AuditEntry,
  AuditEvent,
  AuditQuery,
  GrantedToken,
  TokenGrant,
} from "../shared/wire/admin-rpc.ts";
import type { ChainPage, ChainRequest } from "../shared/wire/audit-chain.ts";
import type { Origin } from "../shared/wire/rpc.ts";
import { AdminStore, ADMIN_MIGRATIONS } from "./admin-store.ts";
import { hashToken, makeToken, tokenId } from "./admin-token.ts";
import type { Env } from "./env.ts";
import { migrate } from "./schema.ts";

/** Tokens of one mesh: more are a sign that somebody forgets to revoke them. */
const MAX_TOKENS = 1_000;

/** After so many failures within a minute a source is turned away for the rest of it, or longer while it goes on. */
const MAX_FAILURES = 10;
const FAILURE_WINDOW_MS: Millis = 60_000;
/** Sources remembered: a flood from more addresses is not told apart, and counted as one. */
const MAX_SOURCES = 10_000;

/** Lines an hour about those who fail: the last of them says that there were more. A flood must not wash out the log. */
const MAX_FAILURE_LINES = 100;
const FAILURE_LINES_WINDOW_MS: Millis = 3_600_000;

/** The use of the bootstrap token is told once in this time, from each address. */
const BREAK_GLASS_EVERY_MS: Millis = 3_600_000;

/** An expired token keeps its name for a day, for whoever wonders why it does not work. */
const KEEP_EXPIRED_MS: Millis = 86_400_000;

/** A token's last use is written down at most this often: reading with it must not mean a write each time. */
const USED_EVERY_MS: Millis = 3_600_000;

export class AdminObject extends DurableObject<Env> implements AdminApi {
  readonly #store: AdminStore;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    migrate(ctx.storage, ADMIN_MIGRATIONS);
    this.#store = new AdminStore(ctx.storage.sql);
  }

  /** Makes a token. It is told once; only its hash is kept. */
  async grant(request: TokenGrant, origin: Origin): Promise<Outcome<GrantedToken>> {
    const { name, role, namespaces, ttlMs } = request;
    const now = Date.now();
    this.#store.pruneTokens(now - KEEP_EXPIRED_MS);
    if (this.#store.isNamed(name)) {
      return fail({ code: "config.conflict", detail: `There is a token ${name} already: revoke it first.` });
    }
    if (this.#store.countTokens() >= MAX_TOKENS) {
      return fail({ code: "config.conflict", detail: `There are ${MAX_TOKENS} tokens: revoke some first.` });
    }
    const { id, token } = makeToken();
    const hash = await hashToken(token);
    // Somebody else may have taken the name while the hash was made.
    if (this.#store.isNamed(name)) {
      return fail({ code: "config.conflict", detail: `There is a token ${name} already: revoke it first.` });
    }
    const granted: AccessToken = {
      id,
      name,
      role,
      namespaces,
      createdAt: now,
      createdBy: origin.principal,
      expiresAt: now + ttlMs,
      usedAt: null,
    };
    this.ctx.storage.transactionSync(() => {
      this.#store.putToken({ ...granted, hash });
      const detail = `${role} of ${namespaces?.join(", ") ?? "all namespaces"}`;
      this.#store.record({ ...origin, action: "token.grant", target: name, detail }, now);
    });
    return succeed({ ...granted, token });
  }

  /** All tokens, expired ones for a day, by name. */
  async tokens(): Promise<readonly AccessToken[]> {
    return this.#store.tokens();
  }

  /** Ends a token at once. */
  async revoke(id: string, origin: Origin): Promise<Outcome<AccessToken>> {
    const stored = this.#store.token(id);
    if (stored === null) return fail({ code: "resource.not_found", detail: `There is no token ${id}.` });
    const { hash: _, ...token } = stored;
    this.ctx.storage.transactionSync(() => {
      this.#store.dropToken(id);
      this.#store.record({ ...origin, action: "token.revoke", target: token.name, detail: "" }, Date.now());
    });
    return succeed(token);
  }

  /** Who bears a token; `null` when nobody does, or not any more. */
  async bearer(token: string): Promise<Principal | null> {
    const id = tokenId(token);
    if (id === null) return null;
    const hash = await hashToken(token);
    const stored = this.#store.token(id);
    const now = Date.now();
    if (stored === null || stored.expiresAt <= now || !isEqual(hash, stored.hash)) return null;
    if (now - (stored.usedAt ?? 0) >= USED_EVERY_MS) this.#store.putToken({ ...stored, usedAt: now });
    return { id: `token/${stored.name}`, role: stored.role, namespaces: stored.namespaces };
  }

  /** Counts a failure to authenticate; answers until when the source is turned away, 0 for not at all. */
  async strike(source: string, event: AuditEvent): Promise<Millis> {
    const now = Date.now();
    this.#store.pruneFailures(now - FAILURE_WINDOW_MS);
    const isKept = this.#store.failures(source) !== null || this.#store.countFailing() < MAX_SOURCES;
    const kept = isKept ? source : "";
    const { count, since } = this.#store.failures(kept) ?? { count: 0, since: now };
    const isBlocked = count + 1 >= MAX_FAILURES;
    // From the last failure on: who goes on trying waits on.
    this.#store.setFailures(kept, { count: count + 1, since: isBlocked ? now : since });
    if (count === 0) this.#tellFailure({ ...event, ...FAILED }, now);
    // Not every one of a flood: what matters is that there was one.
    if (count + 1 === MAX_FAILURES) this.#tellFailure(event, now);
    return isBlocked ? now + FAILURE_WINDOW_MS : 0;
  }

  async record(event: AuditEvent): Promise<void> {
    this.#write(event, Date.now());
  }

  async breakGlass(event: AuditEvent): Promise<void> {
    const now = Date.now();
    if (this.#store.isBreakGlassTold(event.address, now - BREAK_GLASS_EVERY_MS)) return;
    this.#write({ ...event, action: "break-glass" }, now);
  }

  async audit(query: AuditQuery): Promise<readonly AuditEntry[]> {
    return this.#store.audit(query);
  }

  async chain(request: ChainRequest): Promise<ChainPage> {
    return this.#store.chain(request);
  }

  #tellFailure(event: AuditEvent, now: Millis): void {
    const told = this.#store.countOfNobody(now - FAILURE_LINES_WINDOW_MS);
    if (told >= MAX_FAILURE_LINES) return;
    this.#write(told + 1 === MAX_FAILURE_LINES ? { ...event, ...FLOOD } : event, now);
  }

  #write(event: AuditEvent, now: Millis): void {
    this.ctx.storage.transactionSync(() => this.#store.record(event, now));
  }
}

const FAILED = { action: "authentication.failed", detail: "no valid credential" };

const FLOOD = { action: "authentication.flood", detail: "others fail too: they are not told for an hour" };

/** In constant time: both are SHA-256 in hex. */
function isEqual(a: string, b: string): boolean {
  const encoder = new TextEncoder();
  return a.length === b.length && crypto.subtle.timingSafeEqual(encoder.encode(a), encoder.encode(b));
}
