/**
 * The authority's signing keys, and how far everything that proofs are checked
 * with has been published.
 *
 * @module
 */
import type { VerificationKey } from "../shared/engine/snapshot.ts";
import type { Millis } from "../shared/engine/time.ts";
import type { KeyPair, PrivateJwk } from "../shared/identity/key.ts";
import { AUDIT_MIGRATIONS, BINDING_MIGRATIONS, CHAIN_MIGRATIONS } from "./authority-audit.ts";
import { REVOCATION_MIGRATIONS } from "./authority-revocations.ts";
import { JOIN_MIGRATIONS } from "./join-store.ts";
import { CERTIFICATE_MIGRATIONS } from "./certificate-store.ts";
import { forgottenAt, type Ring, type RingKey } from "./key-ring.ts";
import type { Migration } from "./schema.ts";

export const AUTHORITY_MIGRATIONS: readonly Migration[] = [
  `CREATE TABLE keys (
     kid TEXT PRIMARY KEY, state TEXT NOT NULL, public_jwk TEXT NOT NULL, private_jwk TEXT NOT NULL,
     created_at INTEGER NOT NULL, published_at INTEGER, signs_since INTEGER, retired_at INTEGER);
   CREATE UNIQUE INDEX one_next_one_current ON keys (state) WHERE state <> 'previous';
   CREATE TABLE issued (
     serial INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, kid TEXT NOT NULL, subject TEXT NOT NULL,
     audience TEXT NOT NULL, issued_at INTEGER NOT NULL, expires_at INTEGER NOT NULL);
   CREATE INDEX issued_by_end ON issued (expires_at);
   CREATE TABLE publication (sequence INTEGER NOT NULL, published INTEGER NOT NULL, is_wanted INTEGER NOT NULL);
   INSERT INTO publication VALUES (0, 0, 0)`,
  ...AUDIT_MIGRATIONS,
  ...CERTIFICATE_MIGRATIONS,
  ...REVOCATION_MIGRATIONS,
  ...JOIN_MIGRATIONS,
  ...CHAIN_MIGRATIONS,
  ...BINDING_MIGRATIONS,
];

export interface SigningRow {
  readonly kid: string;
  readonly privateJwk: PrivateJwk;
}

/** `published` is the newest sequence that the registry has acknowledged. */
export interface KeySequence {
  readonly sequence: number;
  readonly published: number;
}

type Row = Record<string, SqlStorageValue>;

interface KeyRow extends Row {
  kid: string;
  state: RingKey["state"];
  public_jwk: string;
  published_at: number | null;
  signs_since: number | null;
  retired_at: number | null;
}

export class AuthorityStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  ring(): Ring {
    const [row] = this.#sql.exec<{ is_wanted: number }>("SELECT is_wanted FROM publication");
    return { keys: this.#keyRows().map(readRingKey), isWanted: row?.is_wanted === 1 };
  }

  /** The public keys: current, next, then the previous ones, youngest first. */
  publicKeys(): VerificationKey[] {
    return this.#keyRows().map(({ public_jwk }) => JSON.parse(public_jwk));
  }

  /** The key that signs now; `null` before the first start. */
  signingKey(): SigningRow | null {
    const [row] = this.#sql.exec<{ kid: string; private_jwk: string }>(
      "SELECT kid, private_jwk FROM keys WHERE state = 'current'",
    );
    return row === undefined ? null : { kid: row.kid, privateJwk: JSON.parse(row.private_jwk) };
  }

  /** Puts the first two keys in. Nobody has a token yet, so that the current one need not be published before it signs. */
  start(current: KeyPair, next: KeyPair, now: Millis): void {
    this.#addNext(current, now);
    this.#sql.exec("UPDATE keys SET state = 'current', signs_since = ? WHERE state = 'next'", now);
    this.#addNext(next, now);
    this.advanceSequence(now);
  }

  /** The next key signs from now on, `fresh` comes after it, and no rotation is wanted any more. */
  rotate(fresh: KeyPair, now: Millis): void {
    this.#sql.exec("UPDATE keys SET state = 'previous', retired_at = ? WHERE state = 'current'", now);
    this.#sql.exec("UPDATE keys SET state = 'current', signs_since = ? WHERE state = 'next'", now);
    this.#addNext(fresh, now);
    this.#sql.exec("UPDATE publication SET is_wanted = 0");
    this.advanceSequence(now);
  }

  /** Notes that a rotation is asked for. */
  want(): void {
    this.#sql.exec("UPDATE publication SET is_wanted = 1");
  }

  /** Forgets previous keys that can have signed nothing valid. */
  prune(now: Millis): void {
    const spent = this.ring().keys.filter((key) => (forgottenAt(key) ?? Infinity) <= now);
    for (const { kid } of spent) this.#sql.exec("DELETE FROM keys WHERE kid = ?", kid);
    if (spent.length > 0) this.advanceSequence(now);
  }

  sequence(): KeySequence {
    const [row] = this.#sql.exec<{ sequence: number; published: number }>(
      "SELECT sequence, published FROM publication",
    );
    return row ?? { sequence: 0, published: 0 };
  }

  /** Notes that the registry has these keys, and everything else of this sequence. */
  markPublished(sequence: number, keys: readonly VerificationKey[], now: Millis): void {
    this.#sql.exec("UPDATE publication SET published = max(published, ?)", sequence);
    for (const { kid } of keys) {
      this.#sql.exec("UPDATE keys SET published_at = ? WHERE kid = ? AND published_at IS NULL", now, kid);
    }
  }

  /** What is published has changed. Follows the clock, so that an authority that has lost its storage is not taken for an older one. */
  advanceSequence(now: Millis): void {
    this.#sql.exec("UPDATE publication SET sequence = max(sequence + 1, ?)", now);
  }

  #addNext({ kid, publicJwk, privateJwk }: KeyPair, now: Millis): void {
    this.#sql.exec(
      "INSERT INTO keys (kid, state, public_jwk, private_jwk, created_at) VALUES (?, 'next', ?, ?, ?)",
      kid,
      JSON.stringify(publicJwk),
      JSON.stringify(privateJwk),
      now,
    );
  }

  /** Without private keys: they are read where something is signed, and nowhere else. */
  #keyRows(): KeyRow[] {
    return this.#sql
      .exec<KeyRow>(
        `SELECT kid, state, public_jwk, published_at, signs_since, retired_at FROM keys
         ORDER BY state = 'current' DESC, state = 'next' DESC, retired_at DESC, kid`,
      )
      .toArray();
  }
}

function readRingKey(row: KeyRow): RingKey {
  return {
    kid: row.kid,
    state: row.state,
    publishedAt: row.published_at,
    signsSince: row.signs_since,
    retiredAt: row.retired_at,
  };
}
