/**
 * The tokens that count once and have, one object per audience and shard of
 * their ids.
 *
 * @module
 */
import { DurableObject } from "cloudflare:workers";
import type { Millis } from "../shared/engine/time.ts";
import { CLOCK_SKEW_MS, MAX_LIFETIME_MS } from "../shared/identity/token.ts";
import type { ReplayApi, SpendRequest, Spent } from "../shared/wire/rpc.ts";
import type { Env } from "./env.ts";
import { REPLAY_MIGRATIONS, ReplayStore } from "./replay-store.ts";
import { migrate } from "./schema.ts";

/** Spent tokens that have not run out, at most: some 10 MB. With tokens of five minutes that is 300 calls a second. */
const MAX_SPENT = 100_000;

/** The longest `jti` that hosts read. */
const MAX_ID_LENGTH = 128;

const PRUNE_EVERY_MS: Millis = 60_000;

/** While it is full, room is looked for no more often. */
const ROOM_EVERY_MS: Millis = 1_000;

export class ReplayObject extends DurableObject<Env> implements ReplayApi {
  readonly #store: ReplayStore;
  #prunedAt: Millis = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    migrate(ctx.storage, REPLAY_MIGRATIONS);
    this.#store = new ReplayStore(ctx.storage.sql);
  }

  /**
   * Spends a token. Exact under concurrency: nothing waits between looking
   * and writing. The answer leaves only once the write is stored, so that a
   * token that has let a call through stays spent whatever happens to this
   * instance. When the answer is lost, the token is spent all the same.
   */
  async spend({ audience, id, expiresAt }: SpendRequest): Promise<Spent> {
    assertReadable(id, expiresAt);
    const digest = await digestOf(audience, id);
    const kind = this.#spend(digest, expiresAt + CLOCK_SKEW_MS);
    await this.#arm();
    return { kind };
  }

  /** Forgets tokens that have run out. */
  override async alarm(): Promise<void> {
    this.#store.prune(Date.now());
    if (this.#store.size() > 0) await this.#arm();
  }

  #spend(digest: ArrayBuffer, until: Millis): Spent["kind"] {
    const now = Date.now();
    // It may have been forgotten already: a host whose clock is behind believes in it for longer than it is kept.
    if (until <= now || this.#store.has(digest)) return "replayed";
    if (this.#store.size() >= MAX_SPENT) this.#makeRoom(now);
    if (this.#store.size() >= MAX_SPENT) return "full";
    this.#store.add(digest, until);
    return "spent";
  }

  /** Looks at every row: a flood must not have it done for each of its calls. */
  #makeRoom(now: Millis): void {
    if (now < this.#prunedAt + ROOM_EVERY_MS) return;
    this.#prunedAt = now;
    this.#store.prune(now);
  }

  /** On every call, since the platform drops an alarm whose handler failed six times. */
  async #arm(): Promise<void> {
    const armed = await this.ctx.storage.getAlarm();
    if (armed === null) await this.ctx.storage.setAlarm(Date.now() + PRUNE_EVERY_MS);
  }
}

/** Ids come from hosts of other people's Workers: a digest bounds their size. */
function digestOf(audience: string, id: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest("SHA-256", new TextEncoder().encode(`${audience} ${id}`));
}

/** No token lives longer: what would be kept for years was made up. */
function assertReadable(id: string, expiresAt: Millis): void {
  if (id === "" || id.length > MAX_ID_LENGTH)
    throw new TypeError("the id of a token has 1 to 128 characters");
  const latest = Date.now() + MAX_LIFETIME_MS + 2 * CLOCK_SKEW_MS;
  if (!(expiresAt <= latest)) throw new TypeError("no token lives that long");
}
