/** Gateway API's own conformance cases, by a runner that is no part of this repository. */
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { FOLDER } from "../conformance-tables/cases.ts";

const RUNNER = join(FOLDER, "run.mjs");
const ADAPTER = fileURLToPath(new URL("adapter.mjs", import.meta.url));
/** The cases take a minute; those that fail wait three seconds each. */
const LIMIT_MS = 360_000;

const isThere = existsSync(RUNNER);
const absence = isThere ? "" : ` (skipped: ${RUNNER} is not there)`;

test.skipIf(!isThere)(`passes every case that can be run${absence}`, { timeout: LIMIT_MS }, async () => {
  const runner = spawn(process.execPath, [realpathSync(RUNNER), "--adapter", ADAPTER, "--strict"], {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: LIMIT_MS - 10_000,
  });

  const lines = (await text(runner.stdout)).trim().split("\n");

  expect(lines.filter((line) => line.startsWith("FAIL"))).toEqual([]);
  expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ fail: 0, pass: expect.toSatisfy((n) => n > 200) });
});
