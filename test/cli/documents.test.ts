import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadDocuments, parseText } from "../../cli/documents.ts";
import { Failure } from "../../cli/failure.ts";
import { QUIET } from "./cli-kit.ts";

describe("a text", () => {
  test.each([
    ["many documents", "a: 1\n---\nb: 2\n", [{ a: 1 }, { b: 2 }]],
    ["empty documents between", "---\n---\na: 1\n---\n# nothing\n---\n", [{ a: 1 }]],
    ["nothing", "", []],
    ["JSON", '{"a": [1, "x"]}', [{ a: [1, "x"] }]],
    ["words that older YAML took for booleans", "a: on\nb: yes\nc: no\n", [{ a: "on", b: "yes", c: "no" }]],
    ["a version that looks like a number", 'a: "1.10"\nb: v1\n', [{ a: "1.10", b: "v1" }]],
    ["a date", "a: 2026-01-01\n", [{ a: "2026-01-01" }]],
    ["an alias", "a: &x {b: 1}\nc: *x\n", [{ a: { b: 1 }, c: { b: 1 } }]],
    [
      "a merge key, which is a key like others",
      "a: &x {b: 1}\nc: {<<: *x}\n",
      [{ a: { b: 1 }, c: { "<<": { b: 1 } } }],
    ],
  ])("of %s", (_, text, documents) => {
    expect(parseText("f.yaml", text)).toEqual({ documents, errors: [] });
  });

  test.each([
    ["an open bracket", "a: [1\nb: 2\n", /^f\.yaml:2:1: /],
    ["a key twice", "a: 1\na: 2\n", /^f\.yaml:2:1: .*unique/],
    ["a tab for indentation", "a:\n\tb: 1\n", /^f\.yaml:2:1: /],
    ["an alias of nothing", "a: *x\n", /^f\.yaml.*x/],
    ["an unknown anchor in a second document", "a: 1\n---\nb: [\n", /^f\.yaml:4:1: /],
    ["an alias within its own anchor", "a: &x [*x]\n", /^f\.yaml: .*circular/],
    ["a bomb of aliases", bomb(), /^f\.yaml: .*alias/],
  ])("with %s is told by its place", (_, text, message) => {
    const { errors } = parseText("f.yaml", text);
    expect(errors).toEqual([expect.stringMatching(message)]);
  });

  test("nested deeper than the stack is an error, not a crash", () => {
    const { errors } = parseText("f.yaml", "[".repeat(100_000) + "]".repeat(100_000));
    expect(errors.length).toBeGreaterThan(0);
  });

  test("cannot reach a prototype", () => {
    const { documents } = parseText("f.yaml", "__proto__:\n  admin: true\n");
    expect(Object.entries(documents[0] ?? {})).toEqual([["__proto__", { admin: true }]]);
  });
});

function bomb(): string {
  const levels = ["a: &a [x, x, x, x, x, x, x, x, x]"];
  for (const [name, of] of ["ba", "cb", "dc"]) levels.push(`${name}: &${name} [${`*${of}, `.repeat(9)}]`);
  return `${levels.join("\n")}\n`;
}

describe("files", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "selvedge-"));
    await mkdir(join(folder, "inner"));
    await Promise.all([
      writeFile(join(folder, "b.yaml"), "n: b\n"),
      writeFile(join(folder, "a.yml"), "n: a\n"),
      writeFile(join(folder, "c.json"), '{"n": "c"}'),
      writeFile(join(folder, "readme.md"), "n: [\n"),
      writeFile(join(folder, "inner", "d.yaml"), "n: d\n"),
      writeFile(join(folder, "bad.txt"), "n: [\n"),
      writeFile(join(folder, "worse.txt"), "n: 1\nn: 2\n"),
    ]);
  });
  afterAll(() => rm(folder, { recursive: true }));

  const load = (sources: readonly string[], recursive = false): Promise<readonly unknown[]> => {
    const io = { ...QUIET, cwd: folder, readInput: () => Promise.resolve("n: input\n") };
    return loadDocuments(sources, { recursive }, io);
  };

  test.each([
    ["a folder's by name", ["."], false, ["a", "b", "c"]],
    ["folders within", ["."], true, ["a", "b", "c", "d"]],
    ["in the order that they are given", ["b.yaml", "-", "a.yml"], false, ["b", "input", "a"]],
  ])("%s", async (_, sources, recursive, names) => {
    expect(await load(sources, recursive)).toEqual(names.map((n) => ({ n })));
  });

  test("the errors of all files come together", async () => {
    const error = await load(["bad.txt", "a.yml", "worse.txt"]).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(Failure);
    expect(error).toMatchObject({
      exitCode: 1,
      lines: [
        "The files are not valid YAML:",
        expect.stringMatching(/^bad\.txt:\d+:\d+: /),
        expect.stringMatching(/^worse\.txt:2:1: /),
      ],
    });
  });

  test("a file that is not there", async () => {
    const lines = ["none.yaml cannot be read: ENOENT."];
    await expect(load(["none.yaml"])).rejects.toMatchObject({ exitCode: 1, lines });
  });

  test("nothing to apply is a failure", async () => {
    await writeFile(join(folder, "empty.txt"), "# nothing\n");
    await expect(load(["empty.txt"])).rejects.toMatchObject({
      exitCode: 1,
      lines: ["There are no documents in empty.txt."],
    });
  });
});
