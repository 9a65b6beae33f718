import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { applyAnswer } from "../../shared/wire/admin.ts";
import { applyDocuments, startBookinfo, type Bookinfo } from "./bookinfo.ts";
import { ask, inTurns, until, type Answer } from "./http-client.ts";

/** Istio's own sample files, where somebody keeps them; they are no part of the repository. */
const FOLDER =
  process.env["SELVEDGE_CONFORMANCE"] ??
  fileURLToPath(new URL("../../../shared/conformance", import.meta.url));
const SAMPLES = `${FOLDER}/istio-bookinfo`;
const isThere = existsSync(SAMPLES);
const reason = isThere ? "" : ` (skipped: ${SAMPLES} is not there)`;

/** The example with samples applied over it, in order, and callers that the samples tell apart. */
async function startWith(...samples: readonly string[]) {
  const bookinfo = await startBookinfo();
  for (const name of samples) await bookinfo.apply(`${SAMPLES}/networking-${name}.yaml`);
  const [page, reviews] = await Promise.all([bookinfo.token("productpage"), bookinfo.token("reviews")]);
  return {
    bookinfo,
    reviews: (user?: string) => call(bookinfo, "reviews", page, user),
    ratings: (user?: string) => call(bookinfo, "ratings", reviews, user),
  };
}

function call(
  { runtime }: Bookinfo,
  service: string,
  token: string,
  user: string | undefined,
): Promise<Answer> {
  return ask({
    port: runtime.port,
    host: `${service}.bookinfo.mesh.localhost`,
    path: `/${service}/0`,
    headers: { authorization: `Bearer ${token}`, ...(user === undefined ? {} : { "end-user": user }) },
  });
}

/** Which instance of reviews answered. */
function versionOf({ status, body }: Answer): string {
  return status === 200 ? (/"podname":"(.*?)"/.exec(body)?.[1] ?? body) : `status ${status}`;
}

async function versions(count: number, ask: () => Promise<Answer>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const answer of await inTurns(count, 8, ask)) {
    counts[versionOf(answer)] = (counts[versionOf(answer)] ?? 0) + 1;
  }
  return counts;
}

/** Asks until a change is in force, which `isIn` tells by twenty answers. */
async function settled(
  ask: () => Promise<Answer>,
  isIn: (versions: readonly string[]) => boolean,
): Promise<void> {
  await until(
    async () => (await inTurns(20, 4, ask)).map(versionOf),
    (found) => isIn(found),
  );
}

const VIRTUAL_SERVICE = {
  apiVersion: "networking.istio.io/v1",
  kind: "VirtualService",
  namespace: "bookinfo",
  name: "reviews",
};

describe.skipIf(!isThere)(`Istio's samples, applied over the example${reason}`, () => {
  test("everything goes to v1, then jason's reviews to v2", async () => {
    const mesh = await startWith("destination-rule-all", "virtual-service-all-v1");
    await settled(mesh.reviews, (found) => found.every((version) => version === "reviews-v1"));
    expect(await versions(60, () => mesh.reviews("jason"))).toEqual({ "reviews-v1": 60 });

    await mesh.bookinfo.apply(`${SAMPLES}/networking-virtual-service-reviews-test-v2.yaml`);
    await settled(
      () => mesh.reviews("jason"),
      (found) => found.every((version) => version === "reviews-v2"),
    );
    expect(await versions(60, () => mesh.reviews("jason"))).toEqual({ "reviews-v2": 60 });
    expect(await versions(60, () => mesh.reviews())).toEqual({ "reviews-v1": 60 });
    expect((await mesh.bookinfo.page("/productpage")).status).toBe(200);
  });

  test("reviews are split 80/20", async () => {
    const mesh = await startWith("destination-rule-all", "virtual-service-reviews-80-20");
    await settled(mesh.reviews, (found) => !found.includes("reviews-v3"));
    const calls = 1000;
    const counts = await versions(calls, () => mesh.reviews());
    expect(Object.keys(counts).sort()).toEqual(["reviews-v1", "reviews-v2"]);
    // Four standard deviations: by chance alone one run in 16,000 is further off.
    const tolerance = 4 * Math.sqrt(calls * 0.2 * 0.8);
    expect(Math.abs((counts["reviews-v2"] ?? 0) - calls * 0.2)).toBeLessThan(tolerance);
  });

  test("jason's ratings are aborted, and nobody else's", async () => {
    const mesh = await startWith("destination-rule-all", "virtual-service-ratings-test-abort");
    const aborted = await until(
      () => mesh.ratings("jason"),
      ({ status }) => status === 500,
    );
    expect(JSON.parse(aborted.body)).toMatchObject({ status: 500, code: "fault.abort" });
    const others = await inTurns(20, 4, () => mesh.ratings());
    expect(others.map(({ status, headers }) => [status, headers["x-served-by"]])).toEqual(
      others.map(() => [200, "ratings-v1"]),
    );
  });

  test("jason's ratings are delayed", async () => {
    const mesh = await startWith("destination-rule-all");
    const to = { route: [{ destination: { host: "ratings", subset: "v1" } }] };
    // As in Istio's virtual-service-ratings-test-delay, whose 7 s are more than a test should take.
    const delay = { fixedDelay: "0.7s", percentage: { value: 100 } };
    const jason = { match: [{ headers: { "end-user": { exact: "jason" } } }], fault: { delay }, ...to };
    await applyDocuments(mesh.bookinfo.client, [
      {
        apiVersion: "networking.istio.io/v1",
        kind: "VirtualService",
        metadata: { name: "ratings" },
        spec: { hosts: ["ratings"], http: [jason, to] },
      },
    ]);
    const timed = async (user?: string) => {
      const from = performance.now();
      const { status } = await mesh.ratings(user);
      return { status, isLate: performance.now() - from >= 690 };
    };
    const late = await until(
      () => timed("jason"),
      ({ isLate }) => isLate,
    );
    expect([late, await timed()]).toEqual([
      { status: 200, isLate: true },
      { status: 200, isLate: false },
    ]);
  });

  test("the Gateway opens the paths that its VirtualService names", async () => {
    const { bookinfo } = await startWith("bookinfo-gateway");
    // Istio's Gateway is a caller of its own, whom the example's policy does not know: it is allowed by name.
    const get = (path: string) => ask({ port: bookinfo.runtime.port, host: "shop.test", path });
    const page = await until(
      () => get("/productpage"),
      ({ status }) => status === 200,
    );
    expect([page.status, (await get("/nowhere")).status]).toEqual([200, 404]);
  });

  test("what the original became goes with it", async () => {
    const mesh = await startWith("destination-rule-all", "virtual-service-all-v1");
    await settled(mesh.reviews, (found) => found.every((version) => version === "reviews-v1"));
    await mesh.bookinfo.client.call({
      method: "POST",
      path: "/delete",
      body: { refs: [VIRTUAL_SERVICE] },
      answer: applyAnswer,
    });
    await settled(mesh.reviews, (found) => new Set(found).size === 3);
    expect(Object.keys(await versions(60, () => mesh.reviews())).sort()).toEqual([
      "reviews-v1",
      "reviews-v2",
      "reviews-v3",
    ]);
  });
});
