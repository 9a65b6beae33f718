import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { sample, startBookinfo, type Bookinfo } from "./bookinfo.ts";
import { type Answer, inTurns, until } from "./http-client.ts";

/** Istio's own sample files are not part of this repository; they are tried where they lie beside it. */
const ISTIO = fileURLToPath(new URL("../../../shared/conformance/istio-bookinfo", import.meta.url));

const istio = (name: string) => join(ISTIO, `${name}.yaml`);

const FILES = [
  {
    origin: "the example's",
    paths: [sample("reviews-90-10.yaml")],
  },
  {
    origin: "Istio's",
    paths: [
      istio("platform-kube-bookinfo-versions"),
      istio("gateway-api-bookinfo-gateway"),
      istio("gateway-api-route-all-v1"),
      istio("gateway-api-route-reviews-90-10"),
    ],
  },
];

const REQUESTS = 1000;

/**
 * Four standard deviations of a binomial count (n = 1,000, p = 0.1): by chance
 * alone one run in 16,000 is further off.
 */
const TOLERANCE = 4 * Math.sqrt(REQUESTS * 0.1 * 0.9);

describe.each(FILES)("a 90/10 split by $origin files", ({ origin, paths }) => {
  const isThere = paths.every((path) => existsSync(path));
  const reason = isThere ? "" : ` (skipped, for there is no ${paths[0]})`;

  test.skipIf(!isThere)(`holds for callers outside and inside, ${origin}${reason}`, async () => {
    const bookinfo = await startBookinfo();
    const token = await bookinfo.token("productpage");
    for (const path of paths) await bookinfo.apply(path);

    const counts = await Promise.all([
      versions(() => bookinfo.call("reviews", "/reviews/0", token)),
      versions(() => bookinfo.page("/api/v1/products/0/reviews")),
    ]);

    for (const count of counts) {
      expect(Object.keys(count).sort()).toEqual(["reviews-v1", "reviews-v2"]);
      expect(Math.abs((count["reviews-v2"] ?? 0) - REQUESTS * 0.1)).toBeLessThan(TOLERANCE);
    }
    expect((await page(bookinfo)).status).toBe(200);
  });
});

/** How often each version answered, once the split is in force; every answer must be a 200. */
async function versions(ask: () => Promise<Answer>): Promise<Record<string, number>> {
  await until(
    () => inTurns(60, 8, ask),
    (answers) => answers.every(({ body }) => !body.includes("reviews-v3")),
  );
  const answers = await inTurns(REQUESTS, 16, ask);
  const counts: Record<string, number> = {};
  for (const { status, body } of answers) {
    const version = status === 200 ? (/"podname":"(.*?)"/.exec(body)?.[1] ?? body) : `status ${status}`;
    counts[version] = (counts[version] ?? 0) + 1;
  }
  return counts;
}

function page(bookinfo: Bookinfo): Promise<Answer> {
  return bookinfo.page("/productpage");
}
