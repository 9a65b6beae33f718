/** Istio's authorization and JWT cases, by a runner that is no part of this repository. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { FOLDER } from "../conformance-tables/cases.ts";

const RUNNER = join(FOLDER, "run-authz.mjs");
const ADAPTER = fileURLToPath(new URL("authz-adapter.mjs", import.meta.url));
const LIMIT_MS = 180_000;

const isThere = existsSync(RUNNER);
const absence = isThere ? "" : ` (skipped: ${RUNNER} is not there)`;
const folder = mkdtempSync(join(tmpdir(), "selvedge-cases-"));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(FOLDER, file), "utf8"));
}

async function run(cases: string): Promise<readonly string[]> {
  const runner = spawn(process.execPath, [realpathSync(RUNNER), "--adapter", ADAPTER, "--cases", cases], {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: LIMIT_MS - 10_000,
  });
  return (await text(runner.stdout)).trim().split("\n");
}

// The tokens of the one file are the other's, too. Skipped are streams, which no host carries yet.
test.skipIf(!isThere).each([
  ["istio-authz.json", { pass: 222, skip: 8 }],
  ["istio-jwt.json", { pass: 38, skip: 0 }],
])(`passes every case of %s${absence}`, { timeout: LIMIT_MS }, async (file, tally) => {
  const { tokens, jwks } = read("istio-jwt.json");
  const cases = join(folder, file);
  writeFileSync(cases, JSON.stringify({ ...read(file), tokens, jwks }));

  const lines = await run(cases);

  expect(lines.filter((line) => line.startsWith("FAIL"))).toEqual([]);
  expect(JSON.parse(lines.at(-1) ?? "")).toEqual({ ...tally, fail: 0, falseAllow: 0 });
});
