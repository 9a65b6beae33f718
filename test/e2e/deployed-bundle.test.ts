/** What `wrangler deploy` would upload must start: a dry run only bundles it. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { startMesh } from "./bookinfo.ts";
import { stateDir } from "./state-dir.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Workers Free takes 3 MB, compressed. */
const MAX_BYTES = 3_000_000;

test("the bundle that a deploy uploads starts, answers and is small enough for every plan", async () => {
  const outdir = stateDir();
  const { status, stderr } = spawnSync("npx", ["wrangler", "deploy", "--dry-run", "--outdir", outdir], {
    cwd: ROOT,
    encoding: "utf8",
    timeout: 60_000,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
  });
  expect([status, stderr]).toEqual([0, expect.any(String)]);
  const bundle = join(outdir, "main.js");

  const mesh = await startMesh({ meshMain: bundle });
  const health = await fetch(`${mesh.url}/healthz`, { signal: AbortSignal.timeout(10_000) });

  expect(health.status).toBe(200);
  expect(gzipSync(readFileSync(bundle)).length).toBeLessThan(MAX_BYTES);
});
