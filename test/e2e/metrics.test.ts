import { expect, test } from "vitest";
import { startBookinfo } from "./bookinfo.ts";
import { ask, inTurns, until } from "./http-client.ts";

const EDGES = [
  "bookinfo-gateway productpage 2xx",
  "bookinfo-productpage details 2xx",
  "bookinfo-productpage reviews 2xx",
  "bookinfo-reviews ratings 2xx",
  "unknown reviews 4xx",
];

test("metrics tell what went where", async () => {
  const bookinfo = await startBookinfo();
  await inTurns(20, 4, () => bookinfo.page("/productpage"));
  await bookinfo.call("reviews", "/reviews/0", null);

  // Each host reports on its own, a moment after the calls.
  const { status, headers, body } = await until(
    () => scrape(bookinfo.runtime.port, { authorization: "Bearer end-to-end" }),
    (answer) => edgesOf(answer.body).length === EDGES.length,
  );

  expect([status, headers["content-type"]]).toEqual([
    200,
    expect.stringContaining("text/plain; version=0.0.4"),
  ]);
  expect(edgesOf(body)).toEqual(EDGES);
});

test("metrics are not for everybody", async () => {
  const bookinfo = await startBookinfo();

  expect((await scrape(bookinfo.runtime.port, {})).status).toBe(401);
});

function scrape(port: number, headers: Readonly<Record<string, string>>) {
  return ask({ port, host: "127.0.0.1", path: "/metrics", headers });
}

/** Who called what with which success, as far as something was counted. */
function edgesOf(metrics: string): string[] {
  const edges = [...metrics.matchAll(/^selvedge_requests_total\{(.*)\} [1-9]/gm)].map(([, labels = ""]) =>
    ["source_workload", "destination_service", "status_class"].map((name) => label(labels, name)).join(" "),
  );
  return [...new Set(edges)].toSorted();
}

function label(labels: string, name: string): string | undefined {
  return new RegExp(`${name}="(.*?)"`).exec(labels)?.[1];
}
