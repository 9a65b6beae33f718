import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DEMO_SERVICES, DEMO_WORKERS } from "../../cli/dev/demo.ts";
import { parseText } from "../../cli/documents.ts";
import { meshStatus } from "../../shared/wire/admin.ts";
import {
  applyDocuments,
  type Bookinfo,
  callService,
  clientOf,
  sample,
  startBookinfo,
  startMesh,
} from "./bookinfo.ts";
import { ask, inTurns, until } from "./http-client.ts";
import { countSyncs, setOutage, WITH_OUTAGES } from "./outage.ts";
import { stateDir } from "./state-dir.ts";

test.each(["begin", "hang"] as const)(
  "a mesh that starts without its registry (%s) serves what was stored, and takes changes once it is back",
  async (step) => {
    const directory = stateDir();
    const first = await startBookinfo({ stateDir: directory });
    const token = await first.token("reviews");
    await stored(first);
    await first.runtime.stop();

    const runtime = await startMesh({
      stateDir: directory,
      workers: DEMO_WORKERS,
      services: DEMO_SERVICES,
      ...WITH_OUTAGES,
    });
    await setOutage(runtime, step);
    const page = () => ask({ port: runtime.port, host: "bookinfo.localhost", path: "/productpage" });
    const ratings = () => callService(runtime, "ratings", "/ratings/0", token);
    const startedAt = performance.now();
    const cold = await page();
    const coldMs = performance.now() - startedAt;
    const warm = await inTurns(40, 4, page);
    const direct = await ratings();
    const unseen = await callService(runtime, "never-asked-for", "/", token);
    await setOutage(runtime, "end");
    const { documents } = parseText("deny.yaml", readFileSync(sample("deny-ratings.yaml"), "utf8"));
    await applyDocuments(clientOf(runtime), documents);
    const denied = await until(ratings, ({ status }) => status === 403);

    expect([cold.status, direct.status, unseen.status, denied.status]).toEqual([200, 200, 503, 403]);
    expect(cold.body).toContain("Reviewer2");
    expect(warm.map(({ status }) => status)).toEqual(warm.map(() => 200));
    expect(coldMs).toBeLessThan(8_000);
  },
);

test("a change reaches all requests within a second, and thousands of requests cost the registry next to nothing", async () => {
  const bookinfo = await startBookinfo(WITH_OUTAGES);
  const token = await bookinfo.token("reviews");
  const call = () => bookinfo.call("ratings", "/ratings/0", token);
  // The isolate fetches what it needs, and begins to watch within a second.
  await inTurns(100, 4, call);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const before = await countSyncs(bookinfo.runtime);
  const answers = await inTurns(3_000, 8, call);
  const syncs = (await countSyncs(bookinfo.runtime)) - before;

  await bookinfo.apply(sample("deny-ratings.yaml"));
  const appliedAt = performance.now();
  let lastOldMs = 0;
  await inTurns(400, 8, async () => {
    const askedMs = performance.now() - appliedAt;
    if ((await call()).status !== 403) lastOldMs = Math.max(lastOldMs, askedMs);
  });

  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  expect(syncs).toBeLessThanOrEqual(3);
  expect(lastOldMs).toBeLessThan(1_000);
});

/** Waits until the registry has stored all that it has. */
async function stored({ client }: Bookinfo): Promise<void> {
  const { store, version } = await until(
    () => client.call({ path: "/status", answer: meshStatus }),
    (status) => status.store?.kind === "on" && status.store.version === status.version,
  );
  expect(store).toMatchObject({ kind: "on", version });
}
