import { env } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, test } from "vitest";
import { ADMIN_MIGRATIONS } from "../../durable-objects/admin-store.ts";
import { AuditChain, sha256, type ChainedRows } from "../../durable-objects/audit-chain.ts";
import { AUTHORITY_MIGRATIONS } from "../../durable-objects/authority-store.ts";
import { REGISTRY_MIGRATIONS } from "../../durable-objects/registry-store.ts";
import { migrate, type Migration } from "../../durable-objects/schema.ts";
import { finish, follow, walkFrom, type ChainPoint, type Walk } from "../../shared/engine/hash-chain.ts";
import type { ChainPage, ChainRequest } from "../../shared/wire/audit-chain.ts";
import { service } from "./registry-kit.ts";

/** One of the three logs, with five lines, in an object of its own. */
interface Log {
  readonly name: string;
  readonly table: string;
  readonly key: string;
  /** A column of a line. */
  readonly column: string;
  readonly migrations: readonly Migration[];
  stub(name: string): DurableObjectStub;
  chain(name: string, request: ChainRequest): Promise<ChainPage>;
  add(name: string, count: number): Promise<void>;
}

const origin = { principal: "token/ci", address: "192.0.2.1", requestId: "r" };

const LOGS: readonly Log[] = [
  {
    name: "operations",
    table: "audit",
    key: "number",
    column: "target",
    migrations: ADMIN_MIGRATIONS,
    stub: (name) => env.ADMIN.getByName(name),
    chain: (name, request) => env.ADMIN.getByName(name).chain(request),
    async add(name, count) {
      for (let at = 0; at < count; at += 1) {
        await env.ADMIN.getByName(name).record({ ...origin, action: "test", target: `t${at}`, detail: "" });
      }
    },
  },
  {
    name: "configuration",
    table: "revisions",
    key: "revision",
    column: "author",
    migrations: REGISTRY_MIGRATIONS,
    stub: (name) => env.REGISTRY.getByName(name),
    chain: (name, request) => env.REGISTRY.getByName(name).chain(request),
    async add(name, count) {
      const stub = env.REGISTRY.getByName(name);
      const { revision } = await stub.status();
      for (let at = 1; at <= count; at += 1) {
        const documents = [service("web", revision + at)];
        expect(await stub.apply({ documents, author: "ci", via: origin })).toMatchObject({ ok: true });
      }
    },
  },
  {
    name: "issuance",
    table: "issued",
    key: "serial",
    column: "subject",
    migrations: AUTHORITY_MIGRATIONS,
    stub: (name) => env.AUTHORITY.getByName(name),
    chain: (name, request) => env.AUTHORITY.getByName(name).chain(request),
    async add(name, count) {
      for (let at = 0; at < count; at += 1) {
        const request = { workload: `shop/w${at}`, audience: "spiffe://selvedge.example" };
        expect(await env.AUTHORITY.getByName(name).issue(request)).toMatchObject({ ok: true });
      }
    },
  },
];

let tests = 0;
let object = "";

beforeEach(() => {
  object = `chain-${(tests += 1)}`;
});

/** Takes the object's memory. */
async function evict(log: Log): Promise<void> {
  await runInDurableObject(log.stub(object), () => undefined);
  await evictDurableObject(log.stub(object));
}

/** Does to an object's storage what its code would not. */
async function tamper(log: Log, ...statements: readonly string[]): Promise<void> {
  await evict(log);
  await runInDurableObject(log.stub(object), (_, { storage }) => {
    for (const statement of statements) storage.sql.exec(statement);
  });
  await evict(log);
}

async function verify(log: Log, noted: ChainPoint | null = null, limit = 2): Promise<Walk> {
  let page = await log.chain(object, { after: 0, limit });
  let walk = walkFrom(page.anchor, noted);
  while (walk.kind === "fits" && page.lines.length > 0) {
    walk = follow(walk, page.lines, sha256, noted);
    if (walk.kind === "fits") page = await log.chain(object, { after: walk.at.number, limit });
  }
  return finish(walk, page.head, noted);
}

const broken = (number: number, fault: RegExp) => ({
  kind: "broken",
  number,
  fault: expect.stringMatching(fault),
});

describe.each(LOGS)("the log of $name", (log) => {
  const { table, key, column } = log;

  test("fits, line by line, over evictions", async () => {
    expect(await verify(log)).toMatchObject({ kind: "fits", lines: 0, at: { number: 0 } });
    await log.add(object, 3);
    await evict(log);
    await log.add(object, 2);
    expect(await verify(log)).toMatchObject({ kind: "fits", lines: 5, first: 1, at: { number: 5 } });
  });

  test("keeps what was noted of it while it grows", async () => {
    await log.add(object, 3);
    const { head } = await log.chain(object, { after: 0, limit: 1 });
    await log.add(object, 2);
    expect(await verify(log, head)).toMatchObject({ kind: "fits", lines: 5 });
    expect(await verify(log, { ...head, hash: "0".repeat(64) })).toMatchObject(broken(3, /noted/));
  });

  test.each<[string, readonly string[], object]>([
    [
      "an edited column",
      [`UPDATE ${table} SET ${column} = 'spiffe://selvedge.example/mallory' WHERE ${key} = 3`],
      broken(3, /does not follow line 2/),
    ],
    [
      "an edited hash",
      [`UPDATE ${table} SET hash = 'ab' WHERE ${key} = 3`],
      broken(3, /does not follow line 2/),
    ],
    ["a removed line", [`DELETE FROM ${table} WHERE ${key} = 3`], broken(4, /does not follow line 2/)],
    ["a removed beginning", [`DELETE FROM ${table} WHERE ${key} < 3`], broken(3, /does not follow line 0/)],
    ["a cut end", [`DELETE FROM ${table} WHERE ${key} > 3`], broken(5, /missing at the end/)],
    ["a log that is emptied", [`DELETE FROM ${table}`], broken(5, /missing at the end/)],
    [
      "lines that change places",
      [
        `UPDATE ${table} SET ${key} = -1 WHERE ${key} = 3`,
        `UPDATE ${table} SET ${key} = 3 WHERE ${key} = 4`,
        `UPDATE ${table} SET ${key} = 4 WHERE ${key} = -1`,
      ],
      broken(3, /does not follow line 2/),
    ],
  ])("tells of %s", async (_, statements, expected) => {
    await log.add(object, 5);
    await tamper(log, ...statements);
    expect(await verify(log)).toMatchObject(expected);
  });

  test("that was cut off together with its head fails against what was noted", async () => {
    await log.add(object, 5);
    const { head, lines } = await log.chain(object, { after: 0, limit: 5 });
    await tamper(
      log,
      `DELETE FROM ${table} WHERE ${key} > 3`,
      `UPDATE chain SET head = 3, head_hash = '${lines[2]?.hash}'`,
    );
    expect(await verify(log)).toMatchObject({ kind: "fits", lines: 3 });
    expect(await verify(log, head)).toMatchObject(broken(5, /the log ends before it, with line 3/));
  });

  test("gives lines of a release before their hashes, and goes on behind them", async () => {
    const { stub, migrations } = log;
    const chained = migrations.findIndex((each) => typeof each === "string" && each.includes("TABLE chain"));
    await log.add(object, 3);
    await evict(log);
    await runInDurableObject(stub(object), (_, { storage }) => {
      storage.sql.exec(
        `DROP TABLE chain; DELETE FROM migrations WHERE number > ${chained};
         UPDATE ${table} SET hash = ''`,
      );
      for (const index of ["audit_of_nobody", "audit_of_break_glass"])
        storage.sql.exec(`DROP INDEX IF EXISTS ${index}`);
      storage.sql.exec(`ALTER TABLE ${table} DROP COLUMN hash`);
      if (table === "issued") storage.sql.exec("ALTER TABLE issued DROP COLUMN bound_to");
      if (table === "revisions")
        storage.sql.exec(
          "ALTER TABLE changes DROP COLUMN after_hash; ALTER TABLE revisions DROP COLUMN weight",
        );
      migrate(storage, migrations);
    });
    await evict(log);
    await log.add(object, 2);
    expect(await verify(log)).toMatchObject({ kind: "fits", lines: 5, first: 1, at: { number: 5 } });
    await tamper(log, `UPDATE ${table} SET ${column} = 'x' WHERE ${key} = 2`);
    expect(await verify(log)).toMatchObject(broken(2, /does not follow line 1/));
  });
});

const [operations, configuration, issuance] = LOGS;

test("a pruned log begins behind its anchor, which a noted line must not be older than", async () => {
  if (operations === undefined) throw new Error("no log");
  await operations.add(object, 3);
  const { lines } = await operations.chain(object, { after: 0, limit: 3 });
  await tamper(operations, "UPDATE chain SET head = 1000001");
  await operations.add(object, 1);
  await evict(operations);
  const { anchor, head } = await operations.chain(object, { after: 0, limit: 3 });
  expect([anchor, head.number]).toEqual([{ number: 2, hash: lines[1]?.hash }, 1_000_002]);
  expect(await verify(operations)).toMatchObject({ kind: "fits", lines: 2, first: 3 });
  expect(await verify(operations, anchor)).toMatchObject({ kind: "fits", lines: 2 });
  expect(await verify(operations, { number: 1, hash: lines[0]?.hash ?? "" })).toMatchObject(
    broken(1, /is gone because of its age/),
  );
  await tamper(operations, "DELETE FROM audit WHERE number = 3");
  expect(await verify(operations)).toMatchObject(broken(1_000_002, /does not follow line 2/));
});

test("forgotten revisions leave their anchor", async () => {
  if (configuration === undefined) throw new Error("no log");
  await configuration.add(object, 2);
  const { lines } = await configuration.chain(object, { after: 0, limit: 2 });
  await tamper(
    configuration,
    "UPDATE revisions SET at = 0 WHERE revision = 1",
    "UPDATE revisions SET revision = 1001 WHERE revision = 2",
    "UPDATE changes SET revision = 1001 WHERE revision = 2",
  );
  await configuration.add(object, 1);
  const { anchor } = await configuration.chain(object, { after: 0, limit: 1 });
  expect(anchor).toEqual({ number: 1, hash: lines[0]?.hash });
});

test("a revision says from what and to what: an edited change does not fit", async () => {
  if (configuration === undefined) throw new Error("no log");
  await configuration.add(object, 2);
  const { lines } = await configuration.chain(object, { after: 1, limit: 1 });
  const hash = expect.stringMatching(/^[0-9a-f]{64}$/);
  expect(JSON.parse(lines[0]?.content ?? "")).toEqual({
    number: 2,
    at: expect.any(Number),
    author: "ci",
    reason: "apply",
    via: origin,
    changes: [
      {
        ref: { apiVersion: "v1", kind: "Service", namespace: "shop", name: "web" },
        change: "configured",
        before: hash,
        after: hash,
      },
    ],
  });
  await tamper(
    configuration,
    "UPDATE changes SET before = replace(before, '80', '81') || ' ' WHERE revision = 2",
  );
  expect(await verify(configuration)).toMatchObject(broken(2, /does not follow line 1/));
});

test("expired lines of issuance leave their anchor", async () => {
  if (issuance === undefined) throw new Error("no log");
  await issuance.add(object, 3);
  const { lines } = await issuance.chain(object, { after: 0, limit: 3 });
  await tamper(issuance, "UPDATE chain SET head = 1000001, head_hash = head_hash");
  await issuance.add(object, 1);
  const { anchor } = await issuance.chain(object, { after: 0, limit: 3 });
  expect(anchor).toEqual({ number: 2, hash: lines[1]?.hash });
  expect(await verify(issuance)).toMatchObject({ kind: "fits", lines: 2, first: 3 });
});

test("whatever text a line has, it is stored as it was hashed", async () => {
  if (operations === undefined) throw new Error("no log");
  const texts = [
    "\ud800",
    "a\udc00b",
    "\u0000",
    "\u0000\u0001x",
    "\u2028\ufeff",
    "\ud83d\ude00",
    "'; --",
    "\ufffd",
  ];
  const stub = env.ADMIN.getByName(object);
  for (const text of texts) await stub.record({ ...origin, action: text, target: text, detail: text });
  expect(await verify(operations)).toMatchObject({ kind: "fits", lines: texts.length });
});

test("a page has no more than fits into an answer, and always a line", async () => {
  if (operations === undefined) throw new Error("no log");
  const detail = "x".repeat(600_000);
  const stub = env.ADMIN.getByName(object);
  for (const target of ["a", "b"]) await stub.record({ ...origin, action: "test", target, detail });
  const { lines } = await operations.chain(object, { after: 0, limit: 10 });
  expect(lines.map(({ number }) => number)).toEqual([1]);
  expect(await verify(operations, null, 10)).toMatchObject({ kind: "fits", lines: 2 });
});

test("a chain that begins late covers what is newer, and stays there when what is older is pruned", async () => {
  const walked = await runInDurableObject(env.ADMIN.getByName(object), (_, { storage: { sql } }) => {
    sql.exec("CREATE TABLE lines (number INTEGER PRIMARY KEY, content TEXT, hash TEXT NOT NULL DEFAULT '')");
    for (const number of [1, 2, 3, 4]) {
      sql.exec("INSERT INTO lines (number, content) VALUES (?, ?)", number, `{"number":${number},"a":1}`);
    }
    sql.exec("DELETE FROM chain");
    const chain = new AuditChain(sql, rowsOf(sql));
    chain.begin(2);
    chain.prune({ number: 1, hash: "" });
    const { anchor, lines, head } = chain.page(0, 10);
    const uncovered = sql.exec("SELECT number FROM lines WHERE hash = ''").toArray();
    return { uncovered, walk: finish(follow(walkFrom(anchor, null), lines, sha256, null), head, null) };
  });
  expect(walked).toMatchObject({
    uncovered: [{ number: 1 }, { number: 2 }],
    walk: { kind: "fits", lines: 2, first: 3, at: { number: 4 } },
  });
});

function rowsOf(sql: SqlStorage): ChainedRows {
  return {
    read: (after, limit) =>
      sql.exec<Record<string, SqlStorageValue> & { number: number; content: string; hash: string }>(
        "SELECT number, content, hash FROM lines WHERE number > ? ORDER BY number LIMIT ?",
        after,
        limit,
      ),
    stamp: (number, hash) => void sql.exec("UPDATE lines SET hash = ? WHERE number = ?", hash, number),
  };
}
