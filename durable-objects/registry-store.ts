/**
 * The registry's tables: resources, their history, and what other objects
 * have published. Compiled units have a store of their own.
 *
 * @module
 */
import type { Millis } from "../shared/engine/time.ts";
import { resourceKey, type Resource, type ResourceRef } from "../shared/wire/resource.ts";
import type {
  Change,
  ChangeKind,
  ListRequest,
  Revision,
  RevisionFilter,
} from "../shared/wire/registry-rpc.ts";
import type { ChainPage, ChainRequest } from "../shared/wire/audit-chain.ts";
import { sha256 } from "./audit-chain.ts";
import { ORDER_MIGRATIONS, OUTLIER_ORDER_MIGRATIONS } from "./health-orders.ts";
import { REVISION_CHAIN_MIGRATIONS, RevisionChain } from "./registry-chain.ts";
import type { Step } from "./registry-change.ts";
import type { Migration } from "./schema.ts";

/** Revisions that stay known to `diff` and `rollback` however old they are. */
export const KEPT_REVISIONS = 1_000;

/**
 * Younger ones stay known however many they are: a thousand are soon made by
 * whoever wants one forgotten. As long as point-in-time recovery goes back.
 */
const KEPT_MS: Millis = 30 * 86_400_000;

/** What revisions replaced, in all: of the 10 GB that an object has. The oldest of more are forgotten, however young. */
const MAX_HISTORY_BYTES = 4_000_000_000;

/** Of a change besides what it replaced: its keys, its hash, its place in two indexes. */
const CHANGE_BYTES = 500;

/** Revisions in one answer. */
const MAX_TOLD = 1_000;

/** Changes told by one `revisions` answer; what is beyond is asked for by `diff`. Keeps an answer below 10 MB. */
const MAX_TOLD_CHANGES = 20_000;

export const REGISTRY_MIGRATIONS: readonly Migration[] = [
  `CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
   CREATE TABLE resources (
     key TEXT PRIMARY KEY, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL);
   CREATE INDEX resources_by_kind ON resources (kind, namespace, name);
   CREATE TABLE revisions (
     revision INTEGER PRIMARY KEY, at INTEGER NOT NULL, author TEXT NOT NULL, reason TEXT NOT NULL);
   CREATE TABLE changes (
     revision INTEGER NOT NULL, key TEXT NOT NULL, ref TEXT NOT NULL, change TEXT NOT NULL, before TEXT,
     PRIMARY KEY (key, revision));
   CREATE INDEX changes_by_revision ON changes (revision);
   CREATE TABLE published (
     topic TEXT NOT NULL, service TEXT NOT NULL, sequence INTEGER NOT NULL, body TEXT NOT NULL,
     PRIMARY KEY (topic, service));
   CREATE TABLE units (key TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT);
   CREATE INDEX units_by_version ON units (version);
   CREATE INDEX tombstones ON units (version) WHERE body IS NULL`,
  ...ORDER_MIGRATIONS,
  "ALTER TABLE revisions ADD COLUMN via TEXT",
  ...OUTLIER_ORDER_MIGRATIONS,
  ...REVISION_CHAIN_MIGRATIONS,
  // All bytes of history up to a revision: what is before the column weighs nothing, and ends by its number and age.
  "ALTER TABLE revisions ADD COLUMN weight INTEGER NOT NULL DEFAULT 0",
];

/** What other objects publish into the registry. */
export type Topic = "endpoints" | "ejections" | "checks" | "outliers" | "keys" | "trust";

/** Facts about one revision that its changes do not tell. */
export type RevisionHead = Omit<Revision, "changes">;

interface HeadRow extends Record<string, SqlStorageValue> {
  revision: number;
  at: number;
  author: string;
  reason: string;
  via: string | null;
}

export class RegistryStore {
  readonly #sql: SqlStorage;
  readonly #chain: RevisionChain;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#chain = new RevisionChain(sql);
  }

  // Resources

  /** The resource of a `resourceKey`, else null. */
  resource(key: string): Resource | null {
    const [row] = this.#sql.exec<{ body: string }>("SELECT body FROM resources WHERE key = ?", key);
    return row === undefined ? null : parseResource(row.body);
  }

  /** Every resource that the request asks for, by kind, namespace and name. */
  *resources(request: ListRequest): Generator<Resource> {
    const rows = this.#sql.exec<{ body: string }>(
      `SELECT body FROM resources WHERE (?1 IS NULL OR kind = ?1) AND (?2 IS NULL OR namespace = ?2)
       ORDER BY kind, namespace, name, key`,
      request.kind ?? null,
      request.namespace ?? null,
    );
    for (const { body } of rows) yield parseResource(body);
  }

  countResources(): number {
    return this.#sql.exec<{ count: number }>("SELECT count(*) AS count FROM resources").one().count;
  }

  /** Bytes of the stored resources of a namespace, or of all for `null`. */
  weigh(namespace: string | null): number {
    const { bytes } = this.#sql
      .exec<{ bytes: number }>(
        "SELECT coalesce(sum(octet_length(body)), 0) AS bytes FROM resources WHERE ?1 IS NULL OR namespace = ?1",
        namespace,
      )
      .one();
    return bytes;
  }

  // History

  /** The revision in force; 0 before the first change. */
  revision(): number {
    return this.#newest() ?? 0;
  }

  /** Whether the content of a revision can still be told. 0 is the empty mesh, until its successor is pruned. */
  isKnown(revision: number): boolean {
    if (revision === 0) return (this.#oldest() ?? 1) === 1;
    const rows = this.#sql.exec("SELECT 1 FROM revisions WHERE revision = ?", revision);
    return [...rows].length > 0;
  }

  /** How many resources a namespace would have with these keys besides. */
  countWith(namespace: string, keys: readonly string[]): number {
    const { count } = this.#sql
      .exec<{ count: number }>("SELECT count(*) AS count FROM resources WHERE namespace = ?", namespace)
      .one();
    return count + keys.filter((key) => this.resource(key) === null).length;
  }

  /** Writes a revision and its changes, and forgets the oldest that need not be known any more. */
  record(head: RevisionHead, steps: readonly Step[]): void {
    const { revision, at, author, reason, via } = head;
    this.#sql.exec(
      "INSERT INTO revisions (revision, at, author, reason, via) VALUES (?, ?, ?, ?, ?)",
      revision,
      at,
      author,
      reason,
      via === undefined ? null : JSON.stringify(via),
    );
    for (const step of steps) this.#write(step, revision);
    this.#weighHistory(revision);
    this.#chain.append(revision);
    this.#forget(head);
  }

  /** The newest revisions first: at most `limit`, fewer when they have very many changes. */
  revisions(limit: number, filter: RevisionFilter = {}): Revision[] {
    const { before, until, author, namespaces, changesOfEach = -1 } = filter;
    const heads = this.#sql.exec<HeadRow>(
      `SELECT revision, at, author, reason, via FROM revisions
       WHERE (?1 IS NULL OR revision < ?1) AND (?2 IS NULL OR at < ?2) AND (?3 IS NULL OR author = ?3)
         AND (?4 IS NULL OR EXISTS (
           SELECT 1 FROM changes WHERE changes.revision = revisions.revision AND (
             ref ->> 'namespace' = '' OR ref ->> 'namespace' IN (SELECT value FROM json_each(?4)))))
       ORDER BY revision DESC LIMIT ?5`,
      before ?? null,
      until ?? null,
      author ?? null,
      namespaces === undefined ? null : JSON.stringify(namespaces),
      Math.min(Math.max(limit, 1), MAX_TOLD),
    );
    const told: Revision[] = [];
    let toldChanges = 0;
    for (const { via, ...head } of heads) {
      const changes = this.#changesOf(head.revision, changesOfEach);
      toldChanges += changes.length;
      if (told.length > 0 && toldChanges > MAX_TOLD_CHANGES) break;
      told.push({ ...head, ...(via === null ? {} : { via: JSON.parse(via) }), changes });
    }
    return told;
  }

  /** The revisions as a log that can be checked, oldest first. */
  chain(request: ChainRequest): ChainPage {
    return this.#chain.page(request);
  }

  /** The resources that were changed after one revision, up to and with another, by key. */
  changedBetween(after: number, upTo: number): { key: string; ref: ResourceRef }[] {
    const rows = this.#sql.exec<{ ref: string }>(
      "SELECT ref, max(revision) FROM changes WHERE revision > ? AND revision <= ? GROUP BY key ORDER BY key",
      after,
      upTo,
    );
    return [...rows].map((row) => {
      const ref = parseRef(row.ref);
      return { key: resourceKey(ref), ref };
    });
  }

  /** A resource as it was at a known revision: what its first later change replaced, else what it is. */
  resourceAt(key: string, revision: number): Resource | null {
    const [row] = this.#sql.exec<{ before: string | null }>(
      "SELECT before FROM changes WHERE key = ? AND revision > ? ORDER BY revision LIMIT 1",
      key,
      revision,
    );
    if (row === undefined) return this.resource(key);
    return row.before === null ? null : parseResource(row.before);
  }

  // Published state

  /** The sequence of the newest publication; -1 for none. */
  sequence(topic: Topic, service: string): number {
    const [row] = this.#sql.exec<{ sequence: number }>(
      "SELECT sequence FROM published WHERE topic = ? AND service = ?",
      topic,
      service,
    );
    return row?.sequence ?? -1;
  }

  publish(topic: Topic, service: string, publication: { sequence: number; body: unknown }): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO published VALUES (?, ?, ?, ?)",
      topic,
      service,
      publication.sequence,
      JSON.stringify(publication.body),
    );
  }

  /** What is published on a topic: service and body. The body is as its publisher's contract says. */
  published<Body>(topic: Topic): { service: string; body: Body }[] {
    const rows = this.#sql.exec<{ service: string; body: string }>(
      "SELECT service, body FROM published WHERE topic = ? ORDER BY service",
      topic,
    );
    return [...rows].map(({ service, body }) => ({ service, body: JSON.parse(body) }));
  }

  // Facts

  fact(name: string): string | null {
    const [row] = this.#sql.exec<{ value: string }>("SELECT value FROM facts WHERE name = ?", name);
    return row?.value ?? null;
  }

  setFact(name: string, value: string): void {
    this.#sql.exec("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, value);
  }

  #write({ key, ref, change, before, after }: Step, revision: number): void {
    const body = after === null ? null : JSON.stringify(after);
    this.#sql.exec(
      "INSERT INTO changes (revision, key, ref, change, before, after_hash) VALUES (?, ?, ?, ?, ?, ?)",
      revision,
      key,
      JSON.stringify(ref),
      change,
      before === null ? null : JSON.stringify(before),
      body === null ? null : sha256(body),
    );
    if (body === null) {
      this.#sql.exec("DELETE FROM resources WHERE key = ?", key);
      return;
    }
    this.#sql.exec(
      "INSERT OR REPLACE INTO resources (key, kind, namespace, name, body) VALUES (?, ?, ?, ?, ?)",
      key,
      ref.kind,
      ref.namespace,
      ref.name,
      body,
    );
  }

  /** Notes what all of history weighs with a revision that has just been written. */
  #weighHistory(revision: number): void {
    this.#sql.exec(
      `UPDATE revisions SET weight =
         coalesce((SELECT weight FROM revisions WHERE revision < ?1 ORDER BY revision DESC LIMIT 1), 0)
         + (SELECT coalesce(sum(coalesce(octet_length(before), 0) + ?2), 0) FROM changes WHERE revision = ?1)
       WHERE revision = ?1`,
      revision,
      CHANGE_BYTES,
    );
  }

  /** Forgets what is before the first revision that is to stay: of history only the beginning can go. */
  #forget({ revision, at }: RevisionHead): void {
    // From the oldest on, for the first that stays is near.
    const [first] = this.#sql.exec<{ first: number }>(
      `SELECT revision AS first FROM revisions WHERE (revision > ?1 OR at > ?2)
         AND weight > (SELECT weight FROM revisions WHERE revision = ?3) - ?4 ORDER BY revision LIMIT 1`,
      revision - KEPT_REVISIONS,
      at - KEPT_MS,
      revision,
      MAX_HISTORY_BYTES,
    );
    const horizon = (first?.first ?? revision) - 1;
    this.#chain.prune(horizon);
    this.#sql.exec("DELETE FROM changes WHERE revision <= ?", horizon);
    this.#sql.exec("DELETE FROM revisions WHERE revision <= ?", horizon);
  }

  /** The first changes of a revision; all of them for -1. */
  #changesOf(revision: number, limit: number): Change[] {
    const rows = this.#sql.exec<{ ref: string; change: string }>(
      "SELECT ref, change FROM changes WHERE revision = ? ORDER BY rowid LIMIT ?",
      revision,
      limit,
    );
    return [...rows].map((row) => ({ ref: parseRef(row.ref), change: parseChange(row.change) }));
  }

  #newest(): number | null {
    return this.#sql.exec<{ edge: number | null }>("SELECT max(revision) AS edge FROM revisions").one().edge;
  }

  #oldest(): number | null {
    return this.#sql.exec<{ edge: number | null }>("SELECT min(revision) AS edge FROM revisions").one().edge;
  }
}

// What is read back is what this store has written: JSON.parse is the whole check.

function parseResource(body: string): Resource {
  return JSON.parse(body);
}

function parseRef(body: string): ResourceRef {
  return JSON.parse(body);
}

function parseChange(text: string): ChangeKind {
  return text === "created" || text === "configured" || text === "deleted" ? text : "unchanged";
}
