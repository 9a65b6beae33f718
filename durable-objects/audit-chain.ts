/**
 * The end of an object's log and the beginning that is still there, and how a
 * line is added between: see the engine's `hash-chain.ts`. Whoever adds lines
 * does it in one transaction with what they tell of.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { GENESIS, hashLine, type ChainLine, type ChainPoint } from "../shared/engine/hash-chain.ts";
import type { ChainPage } from "../shared/wire/audit-chain.ts";

/** Of SQL: the table of the one chain that an object has. */
export const CHAIN_TABLE = `CREATE TABLE chain (
  anchor INTEGER NOT NULL, anchor_hash TEXT NOT NULL, head INTEGER NOT NULL, head_hash TEXT NOT NULL)`;

/** Content in one page, about: an answer stays far below the 32 MiB of a call between objects. */
const MAX_PAGE_CHARACTERS = 1_000_000;

/** Lines hashed at a time when a chain begins. */
const BATCH = 1_000;

/** Lines that a chain which begins covers, the newest: an object must not hash for longer than it may take to start. */
export const MAX_CHAINED_AT_ONCE = 50_000;

/** The rows that a chain goes through. */
export interface ChainedRows {
  /** At most so many lines after a number, oldest first. */
  read(after: number, limit: number): Iterable<ChainLine>;
  /** Writes down the hash of a line that had none. */
  stamp(number: number, hash: string): void;
}

interface ChainRow extends Record<string, SqlStorageValue> {
  anchor: number;
  anchor_hash: string;
  head: number;
  head_hash: string;
}

/** Hashes a text: without waiting, so that it can be done within a transaction. */
export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

export class AuditChain {
  readonly #sql: SqlStorage;
  readonly #rows: ChainedRows;

  constructor(sql: SqlStorage, rows: ChainedRows) {
    this.#sql = sql;
    this.#rows = rows;
  }

  /** Begins the chain over rows that are there already, after a number. What is older stays readable, and is not covered. */
  begin(after: number): void {
    const start = Math.max(after, GENESIS.number);
    this.#sql.exec("INSERT INTO chain VALUES (?1, ?2, ?1, ?2)", start, GENESIS.hash);
    let batch: readonly ChainLine[];
    do {
      batch = [...this.#rows.read(this.newest(), BATCH)];
      for (const line of batch) this.#link(line);
    } while (batch.length > 0);
  }

  /** The number of the newest line. */
  newest(): number {
    return this.#row().head;
  }

  /** Chains a line that has just been written: as it reads now, for not every text is stored as it was given. */
  append(number: number): void {
    const [line] = this.#rows.read(number - 1, 1);
    if (line !== undefined) this.#link(line);
  }

  /** Notes the newest of the lines that are pruned: what is left is checked from there. */
  prune({ number, hash }: ChainPoint): void {
    this.#sql.exec("UPDATE chain SET anchor = ?1, anchor_hash = ?2 WHERE anchor < ?1", number, hash);
  }

  /** Lines after a number, as many as fit into one answer: at least one, if there is one. */
  page(after: number, limit: number): ChainPage {
    const { anchor, anchor_hash, head, head_hash } = this.#row();
    const lines: ChainLine[] = [];
    let characters = 0;
    for (const line of this.#rows.read(Math.max(after, anchor), limit)) {
      characters += line.content.length;
      if (lines.length > 0 && characters > MAX_PAGE_CHARACTERS) break;
      lines.push(line);
    }
    return { anchor: { number: anchor, hash: anchor_hash }, lines, head: { number: head, hash: head_hash } };
  }

  #link({ number, content }: ChainLine): void {
    const hash = hashLine(this.#row().head_hash, content, sha256);
    this.#rows.stamp(number, hash);
    this.#sql.exec("UPDATE chain SET head = ?, head_hash = ?", number, hash);
  }

  #row(): ChainRow {
    return this.#sql.exec<ChainRow>("SELECT * FROM chain").one();
  }
}
