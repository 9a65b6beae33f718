import { reset } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import type { Resource } from "../../shared/wire/resource.ts";
import type { Difference, RevisionFilter } from "../../shared/wire/registry-rpc.ts";
import { apply, everything, evict, exec, refTo, registry, service, valueOf } from "./registry-kit.ts";

afterEach(reset);

const portOf = (resource: Resource | null) =>
  /"port":(\d+)/.exec(JSON.stringify(resource?.spec ?? null))?.[1] ?? "-";

const metadataOf = async (name: string) => valueOf(await registry().get(refTo(service(name)))).metadata;

const newest = async (limit: number) => (await registry().revisions(limit)).map(({ revision }) => revision);

/** The newest two that a filter lets through. */
const found = async (filter: RevisionFilter) =>
  (await registry().revisions(2, filter)).map(({ revision }) => revision);

/** `a: 80 → 81`, with the port of a service as its content. */
const sketch = (differences: readonly Difference[]) =>
  differences.map(({ ref, before, after }) => {
    return `${ref.name}: ${portOf(before)} → ${portOf(after)}`;
  });

/** 1: a. 2: a changes, b comes. 3: a goes. 4: b changes. 5: b changes back. */
async function fiveRevisions(): Promise<void> {
  await apply([service("a", 80)]);
  await apply([service("a", 81), service("b", 80)]);
  await registry().remove([refTo(service("a"))], "ada");
  await apply([service("b", 82)]);
  await apply([service("b", 80)]);
  await evict();
}

describe("history", () => {
  test.each([
    [0, 1, ["a: - → 80"]],
    [1, 2, ["a: 80 → 81", "b: - → 80"]],
    [2, 3, ["a: 81 → -"]],
    [1, 4, ["a: 80 → -", "b: - → 82"]],
    [4, 1, ["a: - → 80", "b: 82 → -"]],
    [3, 5, []],
    [5, 5, []],
    [0, 5, ["b: - → 80"]],
  ])("diff from %i to %i", async (from, to, expected) => {
    await fiveRevisions();
    expect(sketch(valueOf(await registry().diff(from, to)))).toEqual(expected);
  });

  test.each([
    [0, ["b: 80 → -"]],
    [1, ["a: - → 80", "b: 80 → -"]],
    [2, ["a: - → 81"]],
    [4, ["b: 80 → 82"]],
  ])("rollback to %i is a new revision with its content", async (target, expected) => {
    await fiveRevisions();
    const answer = valueOf(await registry().rollback(target, "bob"));
    await evict();
    expect(answer.revision).toBe(6);
    expect(valueOf(await registry().diff(target, 6))).toEqual([]);
    expect(sketch(valueOf(await registry().diff(5, 6)))).toEqual(expected);
    expect((await registry().revisions(1))[0]).toMatchObject({
      author: "bob",
      reason: `rollback to ${target}`,
    });
  });

  test.each([3, 5])("rollback to %i, whose content is in force, changes nothing", async (target) => {
    await fiveRevisions();
    const before = await everything();
    expect(valueOf(await registry().rollback(target, "bob"))).toEqual({
      revision: 5,
      changes: [],
      warnings: [],
    });
    expect(await everything()).toEqual(before);
  });

  test("rollback brings a deleted resource back as it was, and generations never return", async () => {
    await apply([service("a", 80)]);
    const born = await metadataOf("a");
    await apply([service("a", 81)]);
    await registry().rollback(1, "bob");
    expect(await metadataOf("a")).toEqual({ ...born, generation: 3 });
    await registry().remove([refTo(service("a"))], "bob");
    await evict();
    await registry().rollback(1, "bob");
    expect(await metadataOf("a")).toEqual(born);
  });

  test.each([-1, 2, 1.5, Number.NaN])("revision %d is not known", async (revision) => {
    await apply([service("a")]);
    const unknown = { ok: false, problem: { code: "resource.not_found" } };
    expect(await registry().rollback(revision, "bob")).toMatchObject(unknown);
    expect(await registry().diff(revision, 1)).toMatchObject(unknown);
    expect(await registry().diff(1, revision)).toMatchObject(unknown);
  });

  test("revisions are told newest first, no more than asked for", async () => {
    await fiveRevisions();
    expect(await newest(2)).toEqual([5, 4]);
    expect(await newest(1_000_000)).toEqual([5, 4, 3, 2, 1]);
    expect(await newest(0)).toEqual([5]);
  });

  test("revisions are told of an author, a time and namespaces, and after others, with some of their changes", async () => {
    await fiveRevisions();
    await apply([{ ...service("own"), metadata: { name: "own", namespace: "blog" } }], { author: "carol" });
    await exec("UPDATE revisions SET at = revision * 10");
    await evict();

    expect(await found({ before: 4 })).toEqual([3, 2]);
    expect(await found({ until: 20 })).toEqual([1]);
    expect(await found({ author: "carol" })).toEqual([6]);
    expect(await found({ namespaces: ["blog"] })).toEqual([6]);
    expect(await found({ namespaces: [] })).toEqual([]);
    const [last] = await registry().revisions(1, { before: 2, changesOfEach: 1 });
    expect(last?.changes.length).toBe(1);
  });

  test("the newest 1,000 revisions are kept, and those of 30 days; older ones are not known any more", async () => {
    await apply([service("a", 80), service("b", 80)]);
    await apply([service("a", 81)]);
    // As if 999 more had followed.
    await exec("UPDATE changes SET revision = revision + 999 WHERE revision = 2");
    await exec("UPDATE revisions SET revision = 1001 WHERE revision = 2");
    await evict();
    expect(await registry().status()).toMatchObject({ revision: 1_001 });
    await apply([service("b", 81)]);
    expect(await newest(1_000)).toEqual([1_002, 1_001, 1]);
    await exec("UPDATE revisions SET at = at - 30 * 86400000 WHERE revision = 1");
    await apply([service("b", 80)]);
    await registry().rollback(1_002, "bob");
    expect(await newest(1_000)).toEqual([1_004, 1_003, 1_002, 1_001]);
    expect(await registry().diff(1, 1_002)).toMatchObject({ ok: false });
    expect(await registry().diff(0, 1_002)).toMatchObject({ ok: false });
    expect(sketch(valueOf(await registry().diff(1_001, 1_002)))).toEqual(["b: 80 → 81"]);
    expect(await exec("SELECT min(revision) AS oldest FROM changes")).toEqual([{ oldest: 1_001 }]);
  });

  test("what is replaced has a limit: of more the oldest is forgotten, however young", async () => {
    await apply([service("a", 80)]);
    await apply([service("a", 81)]);
    await exec("UPDATE revisions SET weight = weight + 4000000000 WHERE revision = 2");
    await apply([service("a", 82)]);
    expect(await newest(9)).toEqual([3, 2]);
    const [last] = await exec("SELECT weight - 4000000000 AS bytes FROM revisions WHERE revision = 3");
    // Three changes of some hundred bytes.
    expect(Number(last?.["bytes"])).toBeGreaterThan(1_500);
    expect(Number(last?.["bytes"])).toBeLessThan(3_500);
  });
});
