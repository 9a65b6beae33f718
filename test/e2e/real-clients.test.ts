/** The example through the clients that people have: curl, a browser, Prometheus' own checker. */
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { expect, test } from "vitest";
import { startBookinfo } from "./bookinfo.ts";
import { stateDir } from "./state-dir.ts";

/** A page that calls three services, drawn by a browser that starts cold. */
const LIMIT_MS = 60_000;

function run(command: string, args: readonly string[], input = ""): SpawnSyncReturns<string> {
  return spawnSync(command, args, { encoding: "utf8", input, timeout: LIMIT_MS });
}

/** Whether a client is installed, and what a test's title says if it is not. */
function client(command: string): { readonly isMissing: boolean; readonly note: string } {
  const isMissing = run(command, ["--version"]).error !== undefined;
  return { isMissing, note: isMissing ? ` (skipped: ${command} is not installed)` : "" };
}

/** A browser that shows nothing, keeps nothing and asks nobody else. */
const QUIET =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split(
    " ",
  );

const curl = client("curl");
const chromium = client("chromium");
const promtool = client("promtool");

test.skipIf(curl.isMissing)(`curl calls a service by its name${curl.note}`, async () => {
  const bookinfo = await startBookinfo();
  const url = `http://details.bookinfo.mesh.localhost:${bookinfo.runtime.port}/details/0`;
  const bearer = `authorization: Bearer ${await bookinfo.token("productpage")}`;

  const admitted = run("curl", ["-sS", "-m", "10", "-H", bearer, url]);
  const refused = run("curl", ["-sS", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}", url]);

  expect(JSON.parse(admitted.stdout)).toMatchObject({ author: "William Shakespeare" });
  expect(refused.stdout).toBe("401");
});

test.skipIf(chromium.isMissing)(
  `a browser shows the page with its stars${chromium.note}`,
  { timeout: LIMIT_MS },
  async () => {
    const bookinfo = await startBookinfo();
    await bookinfo.apply(new URL("fixtures/reviews-v3.yaml", import.meta.url).pathname);

    const profile = stateDir();
    const page = `http://bookinfo.localhost:${bookinfo.runtime.port}/productpage`;

    const { stdout } = run("chromium", [...QUIET, `--user-data-dir=${profile}`, "--dump-dom", page]);

    expect(stdout).toContain("The Comedy of Errors");
    expect(stdout).toContain("reviews-v3");
    expect(stdout).toContain('aria-label="5 of 5 stars"');
  },
);

test.skipIf(promtool.isMissing)(`promtool finds nothing to say of the metrics${promtool.note}`, async () => {
  const bookinfo = await startBookinfo();
  await bookinfo.page("/productpage");
  const metrics = await fetch(`${bookinfo.runtime.url}/metrics`, {
    headers: { authorization: "Bearer end-to-end" },
    signal: AbortSignal.timeout(10_000),
  });

  const { status, stdout, stderr } = run("promtool", ["check", "metrics"], await metrics.text());

  expect([status, stdout, stderr]).toEqual([0, "", ""]);
});
