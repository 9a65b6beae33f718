/**
 * The revisions as a log that can be checked: each says who changed what, from
 * which content to which, by hash.
 *
 * @module
 */
import { contentOf, type ChainLine } from "../shared/engine/hash-chain.ts";
import type { ChainPage, ChainRequest } from "../shared/wire/audit-chain.ts";
import { AuditChain, CHAIN_TABLE, sha256, type ChainedRows } from "./audit-chain.ts";
import type { Migration } from "./schema.ts";

/** Revisions that a chain which begins covers, the newest: each may have replaced 8 MiB, which is read to hash it. */
const MAX_CHAINED_AT_ONCE = 100;

/** Revisions in one answer, for the same reason. */
const MAX_PAGE = 50;

export const REVISION_CHAIN_MIGRATIONS: readonly Migration[] = [
  `ALTER TABLE revisions ADD COLUMN hash TEXT NOT NULL DEFAULT '';
   ALTER TABLE changes ADD COLUMN after_hash TEXT;
   ${CHAIN_TABLE}`,
  (sql) => {
    const { newest } = sql
      .exec<{ newest: number | null }>("SELECT max(revision) AS newest FROM revisions")
      .one();
    new AuditChain(sql, revisionRows(sql)).begin((newest ?? 0) - MAX_CHAINED_AT_ONCE);
  },
];

interface RevisionRow extends Record<string, SqlStorageValue> {
  number: number;
  at: number;
  author: string;
  reason: string;
  via: string | null;
  hash: string;
}

interface ChangeRow extends Record<string, SqlStorageValue> {
  ref: string;
  change: string;
  before: string | null;
  after_hash: string | null;
}

export class RevisionChain {
  readonly #sql: SqlStorage;
  readonly #chain: AuditChain;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#chain = new AuditChain(sql, revisionRows(sql));
  }

  /** Chains a revision that has just been written, with its changes. Must be called in the same transaction. */
  append(revision: number): void {
    this.#chain.append(revision);
  }

  /** Notes the newest of the revisions that are forgotten. Must be called before they are. */
  prune(upTo: number): void {
    const [last] = this.#sql.exec<{ number: number; hash: string }>(
      "SELECT revision AS number, hash FROM revisions WHERE revision <= ? ORDER BY revision DESC LIMIT 1",
      upTo,
    );
    if (last !== undefined) this.#chain.prune(last);
  }

  /** The log as it can be checked, oldest first. */
  page({ after, limit }: ChainRequest): ChainPage {
    return this.#chain.page(after, Math.min(limit, MAX_PAGE));
  }
}

function revisionRows(sql: SqlStorage): ChainedRows {
  return {
    *read(after, limit): Generator<ChainLine> {
      const rows = sql.exec<RevisionRow>(
        `SELECT revision AS number, at, author, reason, via, hash FROM revisions WHERE revision > ?
         ORDER BY revision LIMIT ?`,
        after,
        limit,
      );
      for (const { via, hash, ...head } of rows) {
        const way = via === null ? {} : { via: JSON.parse(via) };
        const content = contentOf({ ...head, ...way, changes: changesOf(sql, head.number) });
        yield { number: head.number, hash, content };
      }
    },
    stamp: (number, hash) => void sql.exec("UPDATE revisions SET hash = ? WHERE revision = ?", hash, number),
  };
}

/** What changed, by hashes of its content. Changes of a release before do not tell what they led to. */
function changesOf(sql: SqlStorage, revision: number): object[] {
  const rows = sql.exec<ChangeRow>(
    "SELECT ref, change, before, after_hash FROM changes WHERE revision = ? ORDER BY rowid",
    revision,
  );
  return Array.from(rows, ({ ref, change, before, after_hash }) => ({
    ref: JSON.parse(ref),
    change,
    ...(before === null ? {} : { before: sha256(before) }),
    ...(after_hash === null ? {} : { after: after_hash }),
  }));
}
