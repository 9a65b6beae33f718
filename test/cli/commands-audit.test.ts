import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { contentOf, GENESIS, hashLine, type ChainLine } from "../../shared/engine/hash-chain.ts";
import type { ChainPage } from "../../shared/wire/audit-chain.ts";
import { against } from "./commands-kit.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

function chain(count: number): ChainLine[] {
  const lines: ChainLine[] = [];
  for (let number = 1; number <= count; number += 1) {
    const content = contentOf({ number, action: "test" });
    lines.push({ number, content, hash: hashLine(lines.at(-1)?.hash ?? GENESIS.hash, content, sha256) });
  }
  return lines;
}

const LINES = chain(5);
const point = (number: number) => {
  const line = LINES[number - 1];
  return line === undefined ? GENESIS : { number, hash: line.hash };
};
const head = (log: string, number: number) => `${log}:${number}:${point(number).hash}`;

/** A page of the lines after a number. */
function page(lines: readonly ChainLine[], { anchor = 0, end = 5 } = {}): ChainPage {
  return { anchor: point(anchor), lines, head: point(end) };
}

const url = (log: string, after: number) => `GET /api/v1/audit/chain?log=${log}&after=${after}`;
const EMPTY = { anchor: GENESIS, lines: [], head: GENESIS };

test("audit verify reads all logs, page by page, and prints their heads", async () => {
  const answers = {
    [url("operations", 0)]: page(LINES.slice(0, 3)),
    [url("operations", 3)]: page(LINES.slice(3)),
    [url("configuration", 0)]: EMPTY,
    [url("issuance", 0)]: page(LINES.slice(4), { anchor: 4 }),
  };
  expect(await against(answers, ["audit", "verify"])).toEqual({
    code: 0,
    out:
      `operations: 5 lines, from 1 to 5, head ${head("operations", 5)}\n` +
      `configuration: no line after 0, head ${head("configuration", 0)}\n` +
      `issuance: 1 line, from 5 to 5, head ${head("issuance", 5)}\n`,
    err: "",
    heard: Object.keys(answers),
  });
});

test("audit verify tells of the first line that does not fit, and checks the other logs", async () => {
  const edited = LINES.map((line) =>
    line.number === 2 ? { ...line, content: '{"number":2,"action":"no"}' } : line,
  );
  const answers = {
    [url("operations", 0)]: page(edited),
    [url("configuration", 0)]: page(LINES.slice(0, 3)),
    [url("configuration", 3)]: page([]),
    [url("issuance", 0)]: EMPTY,
  };
  expect(await against(answers, ["audit", "verify"])).toMatchObject({
    code: 1,
    out: `issuance: no line after 0, head ${head("issuance", 0)}\n`,
    err:
      "Error: operations: line 2 does not follow line 1: it was changed, or what came before it was changed, " +
      "moved or removed.\nconfiguration: line 5 is missing at the end, with all after line 3.\n",
  });
});

test.each<[string, string, readonly string[], object]>([
  ["--expect", head("operations", 2), [url("operations", 0)], { code: 0 }],
  ["--expect", head("operations", 5), [url("operations", 0)], { code: 0 }],
  [
    "--since",
    head("operations", 2),
    [url("operations", 2)],
    { code: 0, out: expect.stringContaining("3 lines, from 3") },
  ],
  [
    "--since",
    head("operations", 5),
    [url("operations", 5)],
    { code: 0, out: expect.stringContaining("no line after 5") },
  ],
  [
    "--expect",
    `operations:2:${point(3).hash}`,
    [url("operations", 0)],
    { code: 1, err: expect.stringContaining("line 2 has another hash than the one that was noted") },
  ],
  [
    "--since",
    `operations:2:${point(3).hash}`,
    [url("operations", 2)],
    { code: 1, err: expect.stringContaining("line 3 does not follow line 2") },
  ],
  [
    "--since",
    `operations:5:${point(3).hash}`,
    [url("operations", 5)],
    { code: 1, err: expect.stringContaining("line 5 has another hash than the end of the log") },
  ],
  [
    "--since",
    `operations:9:${point(3).hash}`,
    [url("operations", 9)],
    { code: 1, err: expect.stringContaining("line 9 was noted, and the log ends before it, with line 5") },
  ],
])("audit verify %s %s", async (option, noted, heard, expected) => {
  const answers = {
    [url("operations", 0)]: page(LINES),
    [url("operations", 2)]: page(LINES.slice(2)),
    [url("operations", 5)]: page([]),
    [url("operations", 9)]: page([]),
  };
  const ran = await against(answers, ["audit", "verify", "--log", "operations", option, noted]);
  expect(ran).toMatchObject({ ...expected, heard });
});

test.each([
  ["--expect", head("operations", 2)],
  ["--since", head("operations", 2)],
])(
  "audit verify %s of a line that is gone because of its age proves nothing, and says so",
  async (option, noted) => {
    const pruned = page(LINES.slice(3), { anchor: 3 });
    const answers = { [url("operations", 0)]: pruned, [url("operations", 2)]: pruned };
    const ran = await against(answers, ["audit", "verify", "--log", "operations", option, noted]);
    expect(ran).toMatchObject({
      code: 1,
      err: "Error: operations: line 2 is gone because of its age, with all up to 3: note a newer one.\n",
    });
  },
);

test("audit verify that is overtaken by the end of old lines asks to be run again", async () => {
  const answers = {
    [url("operations", 0)]: page(LINES.slice(0, 2)),
    [url("operations", 2)]: page(LINES.slice(3), { anchor: 3 }),
  };
  expect(await against(answers, ["audit", "verify", "--log", "operations"])).toMatchObject({
    code: 1,
    err: expect.stringContaining("dropped because of their age while they were read. Try again."),
  });
});

test.each([
  [["--expect", "5"]],
  [["--since", "other:5:".padEnd(72, "a")]],
  [["--expect", head("operations", 1), "--since", head("operations", 2)]],
])("audit verify %j is a mistake", async (options) => {
  expect(await against({}, ["audit", "verify", ...options])).toMatchObject({ code: 2, heard: [] });
});
