import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { resourceList } from "../../shared/wire/admin.ts";
import { applyDocuments, clientOf, sample, startBookinfo, startMesh } from "./bookinfo.ts";
import { ask, inTurns, until } from "./http-client.ts";
import { setOutage, WITH_OUTAGES } from "./outage.ts";
import { stateDir } from "./state-dir.ts";

test("an endpoint that dies under load costs no call", async () => {
  const bookinfo = await startBookinfo();
  const token = await bookinfo.token("reviews");

  const answers = await inTurns(400, 8, async (n) => {
    if (n === 100) bookinfo.ratings.stop();
    return bookinfo.call("ratings", "/ratings/0", token);
  });

  expect(count(answers.map(({ status }) => status))).toEqual({ 200: 400 });
  const served = answers.map(({ headers }) => String(headers["x-served-by"]));
  expect(Object.keys(count(served.slice(0, 100))).sort()).toEqual(["ratings-v1", "ratings-v2"]);
  expect(count(served.slice(200))).toEqual({ "ratings-v1": 200 });
});

test("the page keeps its stars when an endpoint of ratings dies", async () => {
  const bookinfo = await startBookinfo();
  await bookinfo.page("/productpage");
  bookinfo.ratings.stop();

  const answers = await inTurns(60, 4, () => bookinfo.page("/productpage"));

  expect(count(answers.map(({ status }) => status))).toEqual({ 200: 60 });
  expect(answers.filter(({ body }) => body.includes("currently unavailable"))).toEqual([]);
});

test("reviews stay, without stars, when there is no ratings at all", async () => {
  const bookinfo = await startBookinfo();
  await bookinfo.apply(fixture("no-ratings.yaml"));

  const page = await until(
    () => bookinfo.page("/productpage"),
    ({ body }) => body.includes("unavailable"),
  );

  expect(page.status).toBe(200);
  expect(page.body).toContain("Ratings service is currently unavailable");
  expect(page.body).toContain("Reviewer2");
});

test("every acknowledged apply survives a crash", async () => {
  const directory = stateDir();
  const first = await startMesh({ stateDir: directory });
  const client = clientOf(first);
  const acknowledged: string[] = [];

  const applies = inTurns(200, 4, async (n) => {
    const name = `service-${n}`;
    await applyDocuments(client, [service(name)]);
    acknowledged.push(name);
    // Amid applies: three others are on their way.
    if (acknowledged.length === 120) first.kill();
  });
  await expect(applies).rejects.toThrow("Nothing answers");
  await first.exited;
  const second = await startMesh({ stateDir: directory });

  const { items } = await clientOf(second).call({
    path: "/resources",
    query: { kind: "Service" },
    answer: resourceList,
  });
  const kept = new Set(items.map(({ metadata }) => metadata.name));
  expect(acknowledged.length).toBeGreaterThanOrEqual(120);
  expect(acknowledged.filter((name) => !kept.has(name))).toEqual([]);
});

test("a mesh that crashed serves again, with what was made of the example", async () => {
  const directory = stateDir();
  const first = await startBookinfo({ stateDir: directory });
  await first.apply(fixture("no-ratings.yaml"));
  first.runtime.kill();
  await first.runtime.exited;

  const second = await startBookinfo({ stateDir: directory });

  const answers = await inTurns(40, 4, () => second.page("/productpage"));
  expect(count(answers.map(({ status }) => status))).toEqual({ 200: 40 });
  expect(answers.some(({ body }) => body.includes("Ratings service is currently unavailable"))).toBe(true);
  expect(answers.filter(({ body }) => body.includes("of 5 stars"))).toEqual([]);
});

test("traffic goes on without the registry, and takes changes once it is back", async () => {
  const bookinfo = await startBookinfo(WITH_OUTAGES);
  const token = await bookinfo.token("reviews");
  await bookinfo.page("/productpage");
  await bookinfo.call("ratings", "/ratings/0", token);

  await setOutage(bookinfo.runtime, "begin");
  const statuses = new Set<number>();
  // Well past the age at which a host asks for news before it serves (1 s).
  const end = performance.now() + 2500;
  while (performance.now() < end) {
    statuses.add((await bookinfo.page("/productpage")).status);
    statuses.add((await bookinfo.call("ratings", "/ratings/0", token)).status);
  }
  const unseen = await bookinfo.call("never-asked-for", "/", token);
  await expect(bookinfo.apply(sample("deny-ratings.yaml"))).rejects.toThrow("The mesh failed");
  await setOutage(bookinfo.runtime, "end");
  await bookinfo.apply(sample("deny-ratings.yaml"));
  const denied = await until(
    () => bookinfo.call("ratings", "/ratings/0", token),
    ({ status }) => status === 403,
  );

  expect([...statuses]).toEqual([200]);
  expect([unseen.status, unseen.headers["proxy-status"]]).toEqual([
    503,
    'selvedge; error=proxy_internal_error; details="control.unavailable"',
  ]);
  expect(denied.status).toBe(403);
});

test("a mesh that never had its configuration refuses, and recovers", async () => {
  const runtime = await startMesh(WITH_OUTAGES);
  await setOutage(runtime, "begin");
  const page = () => ask({ port: runtime.port, host: "bookinfo.localhost", path: "/productpage" });
  const cold = await page();
  await setOutage(runtime, "end");

  const warm = await until(page, ({ status }) => status !== 503);

  expect([cold.status, warm.status]).toEqual([503, 421]);
});

function fixture(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
}

function service(name: string): unknown {
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { ports: [{ port: 80 }] } };
}

function count(values: readonly (string | number)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}
