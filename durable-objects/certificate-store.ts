/**
 * The authority's roots and intermediates.
 *
 * @module
 */
import type { Millis } from "../shared/engine/time.ts";
import type { Signer } from "../shared/identity/certificate.ts";
import type { PrivateJwk } from "../shared/identity/key.ts";
import type { TrustMaterial } from "../shared/wire/authority-rpc.ts";
import { rootLeavesAt, type CertificateRing, type RingRoot } from "./certificate-ring.ts";

export const CERTIFICATE_MIGRATIONS: readonly string[] = [
  `CREATE TABLE roots (
     id TEXT PRIMARY KEY, state TEXT NOT NULL, source TEXT NOT NULL, certificate TEXT NOT NULL,
     public_jwk TEXT NOT NULL, private_jwk TEXT, crossed TEXT, not_before INTEGER NOT NULL,
     not_after INTEGER NOT NULL, added_at INTEGER NOT NULL, published_at INTEGER, retired_at INTEGER);
   CREATE UNIQUE INDEX one_next_one_current_root ON roots (state) WHERE state <> 'previous';
   CREATE TABLE intermediates (
     id TEXT PRIMARY KEY, state TEXT NOT NULL, root TEXT NOT NULL, source TEXT NOT NULL, chain TEXT NOT NULL,
     private_jwk TEXT, not_before INTEGER NOT NULL, not_after INTEGER NOT NULL, needed_until INTEGER);
   CREATE UNIQUE INDEX one_next_one_current_intermediate ON intermediates (state) WHERE state <> 'previous'`,
];

export interface NewRoot {
  /** SHA-256 of the certificate, in hex. */
  readonly id: string;
  readonly source: "own" | "upstream";
  readonly certificate: string;
  readonly publicJwk: Readonly<Record<string, string>>;
  /** `null` for another authority's root. */
  readonly privateJwk: PrivateJwk | null;
  /** Its certificate by the root before it; `null` where that one cannot sign. */
  readonly crossed: string | null;
  readonly notBefore: Millis;
  readonly notAfter: Millis;
}

export interface NewIntermediate {
  /** SHA-256 of its certificate, in hex. */
  readonly id: string;
  readonly rootId: string;
  readonly source: "own" | "upstream";
  /** Its own certificate first, then those between it and the root. */
  readonly chain: readonly string[];
  readonly privateJwk: PrivateJwk;
  readonly notBefore: Millis;
  readonly notAfter: Millis;
}

/** Who signs leaves now. */
export interface LeafSigner extends Signer {
  readonly id: string;
  /** What goes along with a leaf, in order. */
  readonly chain: readonly string[];
  readonly notAfter: Millis;
}

/** Who signs intermediates below a root. */
export interface RootSigner extends Signer {
  readonly id: string;
}

type Row = Record<string, SqlStorageValue>;

interface RootRow extends Row {
  id: string;
  state: RingRoot["state"];
  source: RingRoot["source"];
  published_at: number | null;
  not_before: number;
  not_after: number;
  retired_at: number | null;
  needed_until: number | null;
}

export class CertificateStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** `null` before the first certificate was asked for. */
  ring(): CertificateRing | null {
    const [row] = this.#sql.exec<{
      id: string;
      rootId: string;
      source: RingRoot["source"];
      notBefore: number;
      notAfter: number;
    }>(
      `SELECT id, root AS rootId, source, not_before AS notBefore, not_after AS notAfter
       FROM intermediates WHERE state = 'current'`,
    );
    return row === undefined ? null : { roots: this.#rootRows().map(readRoot), intermediate: row };
  }

  /** Roots of the bundle: current, next, then the previous ones, youngest first. */
  trusted(): TrustMaterial["roots"] {
    const rows = this.#sql.exec<{ certificate: string; public_jwk: string }>(
      `SELECT certificate, public_jwk FROM roots
       ORDER BY state = 'current' DESC, state = 'next' DESC, retired_at DESC, id`,
    );
    return [...rows].map(({ certificate, public_jwk }) => ({
      certificate,
      publicJwk: JSON.parse(public_jwk),
    }));
  }

  /** Who signs leaves; `null` before the first start. */
  leafSigner(): LeafSigner | null {
    const [row] = this.#sql.exec<{ id: string; chain: string; private_jwk: string; not_after: number }>(
      "SELECT id, chain, private_jwk, not_after FROM intermediates WHERE state = 'current'",
    );
    if (row === undefined) return null;
    const own: readonly string[] = JSON.parse(row.chain);
    const chain = [...own, ...this.#crossed()];
    const [certificate = ""] = own;
    return {
      id: row.id,
      certificate,
      chain,
      privateJwk: JSON.parse(row.private_jwk),
      notAfter: row.not_after,
    };
  }

  /** Certificates of all intermediates whose leaves may be valid. */
  intermediates(): string[] {
    const rows = this.#sql.exec<{ certificate: string }>(
      "SELECT chain ->> 0 AS certificate FROM intermediates WHERE state <> 'next' ORDER BY state, id",
    );
    return [...rows].map(({ certificate }) => certificate);
  }

  /** Who signs intermediates of a root in this state; `null` where there is none, or its key is elsewhere. */
  rootSigner(state: "current" | "next"): RootSigner | null {
    const [row] = this.#sql.exec<{ id: string; certificate: string; private_jwk: string | null }>(
      "SELECT id, certificate, private_jwk FROM roots WHERE state = ?",
      state,
    );
    if (row === undefined || row.private_jwk === null) return null;
    return { id: row.id, certificate: row.certificate, privateJwk: JSON.parse(row.private_jwk) };
  }

  /** Lets a root that is in the bundle as a previous one become the next one. */
  recallRoot(id: string): void {
    this.#sql.exec(
      "UPDATE roots SET state = 'next', retired_at = NULL WHERE id = ? AND state = 'previous'",
      id,
    );
  }

  /** Puts a root into the bundle. */
  addRoot(root: NewRoot, state: "current" | "next", now: Millis): void {
    this.#sql.exec(
      `INSERT INTO roots
         (id, state, source, certificate, public_jwk, private_jwk, crossed, not_before, not_after, added_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      root.id,
      state,
      root.source,
      root.certificate,
      JSON.stringify(root.publicJwk),
      root.privateJwk === null ? null : JSON.stringify(root.privateJwk),
      root.crossed,
      root.notBefore,
      root.notAfter,
      now,
    );
  }

  /** Keeps an intermediate for the day on which its root takes over. */
  addNextIntermediate(intermediate: NewIntermediate): void {
    this.#insert(intermediate, "next");
  }

  /** Another intermediate signs from now on. The key of the one before is forgotten: it has nothing left to sign. */
  replaceIntermediate(intermediate: NewIntermediate): void {
    this.#retireIntermediate();
    this.#insert(intermediate, "current");
  }

  /**
   * The next root takes over, with an intermediate below it: the given one, or
   * that which was kept for it. The key of the one before is forgotten.
   */
  replaceRoot(intermediate: NewIntermediate | null, now: Millis): void {
    this.#sql.exec(
      "UPDATE roots SET state = 'previous', retired_at = ?, private_jwk = NULL WHERE state = 'current'",
      now,
    );
    this.#sql.exec("UPDATE roots SET state = 'current' WHERE state = 'next'");
    if (intermediate !== null) return this.replaceIntermediate(intermediate);
    this.#retireIntermediate();
    this.#sql.exec("UPDATE intermediates SET state = 'current' WHERE state = 'next'");
  }

  /** Notes until when an intermediate is needed, for a leaf that it signs. */
  need(id: string, until: Millis): void {
    this.#sql.exec(
      "UPDATE intermediates SET needed_until = max(coalesce(needed_until, 0), ?) WHERE id = ?",
      until,
      id,
    );
  }

  /** Forgets roots that nothing valid leads to any more. Tells whether there were any. */
  prune(now: Millis): boolean {
    const roots = this.ring()?.roots ?? [];
    const spent = roots.filter((root) => (rootLeavesAt(root) ?? Infinity) <= now);
    for (const { id } of spent) {
      this.#sql.exec("DELETE FROM intermediates WHERE root = ? AND state = 'previous'", id);
      this.#sql.exec("DELETE FROM roots WHERE id = ?", id);
    }
    return spent.length > 0;
  }

  /** Notes that the registry has these roots. */
  markPublished(certificates: readonly string[], now: Millis): void {
    for (const certificate of certificates) {
      this.#sql.exec(
        "UPDATE roots SET published_at = ? WHERE certificate = ? AND published_at IS NULL",
        now,
        certificate,
      );
    }
  }

  /** The current root as the one before it vouches for it, while that one is in the bundle. */
  #crossed(): string[] {
    const rows = this.#sql.exec<{ crossed: string }>(
      `SELECT crossed FROM roots WHERE state = 'current' AND crossed IS NOT NULL
         AND EXISTS (SELECT 1 FROM roots WHERE state = 'previous')`,
    );
    return [...rows].map(({ crossed }) => crossed);
  }

  #retireIntermediate(): void {
    this.#sql.exec("UPDATE intermediates SET state = 'previous', private_jwk = NULL WHERE state = 'current'");
  }

  #insert(intermediate: NewIntermediate, state: "current" | "next"): void {
    const { id, rootId, source, chain, privateJwk, notBefore, notAfter } = intermediate;
    this.#sql.exec(
      `INSERT INTO intermediates (id, state, root, source, chain, private_jwk, not_before, not_after)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, private_jwk = excluded.private_jwk`,
      id,
      state,
      rootId,
      source,
      JSON.stringify(chain),
      JSON.stringify(privateJwk),
      notBefore,
      notAfter,
    );
  }

  /** Without private keys: they are read where something is signed, and nowhere else. */
  #rootRows(): RootRow[] {
    return this.#sql
      .exec<RootRow>(
        `SELECT id, state, source, published_at, not_before, not_after, retired_at,
           (SELECT max(needed_until) FROM intermediates WHERE root = roots.id) AS needed_until
         FROM roots ORDER BY state = 'current' DESC, state = 'next' DESC, retired_at DESC, id`,
      )
      .toArray();
  }
}

function readRoot(row: RootRow): RingRoot {
  return {
    id: row.id,
    state: row.state,
    source: row.source,
    publishedAt: row.published_at,
    notBefore: row.not_before,
    notAfter: row.not_after,
    retiredAt: row.retired_at,
    neededUntil: row.needed_until,
  };
}
