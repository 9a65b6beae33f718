import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parseText } from "../../cli/documents.ts";
import { compileUnit } from "../../shared/compile/compile.ts";
import { createWorld, put, type World } from "../../shared/compile/world.ts";
import * as fault from "../../shared/engine/fault.ts";
import * as route from "../../shared/engine/route.ts";
import { serviceKey, virtualHostKey, type UnitKey } from "../../shared/engine/snapshot.ts";
import * as split from "../../shared/engine/split.ts";
import { parseDocuments } from "../../shared/wire/parse.ts";
import { compilePattern } from "../../shared/wire/pattern.ts";
import { store, TRUST_DOMAIN } from "../compile/worlds.ts";
import { seeded } from "../engine/random.ts";
import { viewOf, type Call } from "../engine/routes.ts";

/** Istio's own sample files, where somebody keeps them; they are no part of the repository. */
const FOLDER =
  process.env["SELVEDGE_CONFORMANCE"] ??
  fileURLToPath(new URL("../../../shared/conformance", import.meta.url));
const SAMPLES = `${FOLDER}/istio-bookinfo`;
const isThere = existsSync(SAMPLES);

const EXAMPLE = ["bookinfo", "gateway", "policies", "traffic"].map((name) =>
  fileURLToPath(new URL(`../../examples/bookinfo/${name}.yaml`, import.meta.url)),
);

/** The example with samples applied over it, one after another. */
function worldWith(...samples: readonly string[]): World {
  const world = createWorld({ trustDomain: TRUST_DOMAIN });
  const files = [...EXAMPLE, ...samples.map((name) => `${SAMPLES}/networking-${name}.yaml`)];
  files.forEach((file, age) => {
    const { documents } = parseText(file, readFileSync(file, "utf8"));
    const parsed = parseDocuments(documents, { defaultNamespace: "bookinfo", allowPrivateEndpoints: true });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    for (const resource of parsed.resources) put(world, store(resource, age));
  });
  return world;
}

function routesOf(world: World, key: UnitKey): route.RouteSet {
  const unit = compileUnit(world, key);
  if (unit?.kind === "virtual-host") return unit.routes;
  const [first] = unit?.kind === "service" ? unit.routes : [];
  if (first === undefined) throw new Error(`${key} has no routes`);
  return first.routes;
}

/** What becomes of one call: an abort's status, the endpoints that may answer, or nothing. */
function decide(
  world: World,
  key: UnitKey,
  path: string,
  call: Call & { readonly random?: number } = {},
): unknown {
  const random = call.random ?? 0;
  const request = viewOf(path, call);
  const found = route.match(route.index(routesOf(world, key), compilePattern), request, null);
  if (found === null) return null;
  const { abort } = fault.inject(found.faults, request, null, { random: () => random, now: 0 });
  if (abort !== null) return abort.status;
  const backend = split.pick(found.action.backends, random);
  const unit = backend === null ? null : compileUnit(world, serviceKey(backend.service));
  if (unit?.kind !== "service" || backend?.invalid !== undefined) return null;
  if (backend?.subset === undefined) return unit.endpoints.map(({ id }) => id);
  return unit.subsets[backend.subset]?.endpoints ?? null;
}

const REVIEWS = serviceKey("bookinfo/reviews");
const RATINGS = serviceKey("bookinfo/ratings");
const JASON = { "end-user": "jason" };

describe.skipIf(!isThere)(
  `Istio's samples over the example${isThere ? "" : ` (skipped: ${SAMPLES} is not there)`}`,
  () => {
    test("virtual-service-all-v1 sends everything to v1", () => {
      const world = worldWith("destination-rule-all", "virtual-service-all-v1");
      const services = ["productpage", "reviews", "ratings", "details"];
      expect(services.map((name) => decide(world, serviceKey(`bookinfo/${name}`), "/x"))).toEqual([
        ["productpage-v1"],
        ["reviews-v1"],
        ["ratings-v1"],
        ["details-v1"],
      ]);
    });

    test("virtual-service-reviews-test-v2 sends jason to v2, and everybody else to v1", () => {
      const world = worldWith(
        "destination-rule-all",
        "virtual-service-all-v1",
        "virtual-service-reviews-test-v2",
      );
      expect([
        decide(world, REVIEWS, "/reviews/0", { headers: JASON }),
        decide(world, REVIEWS, "/reviews/0", { headers: { "end-user": "jasons" } }),
        decide(world, REVIEWS, "/reviews/0"),
      ]).toEqual([["reviews-v2"], ["reviews-v1"], ["reviews-v1"]]);
    });

    test("virtual-service-reviews-80-20 splits, within three standard deviations", () => {
      const world = worldWith(
        "destination-rule-all",
        "virtual-service-all-v1",
        "virtual-service-reviews-80-20",
      );
      const [action] = routesOf(world, REVIEWS).actions;
      const random = seeded(1);
      const calls = 20_000;
      let second = 0;
      for (let call = 0; call < calls; call += 1) {
        if (split.pick(action?.backends ?? [], random())?.subset === "v2") second += 1;
      }
      expect(Math.abs(second - calls * 0.2)).toBeLessThan(3 * Math.sqrt(calls * 0.2 * 0.8));
    });

    test("virtual-service-ratings-test-abort fails jason's ratings, and nobody else's", () => {
      const world = worldWith("virtual-service-ratings-test-abort", "destination-rule-all");
      expect([
        decide(world, RATINGS, "/ratings/0", { headers: JASON }),
        decide(world, RATINGS, "/ratings/0"),
      ]).toEqual([500, ["ratings-v1"]]);
    });

    test("bookinfo-gateway opens the paths that it names", () => {
      const world = worldWith("bookinfo-gateway");
      const host = virtualHostKey("bookinfo/istiogateway.bookinfo-gateway/http-0-0", "*");
      const paths = [
        "/productpage",
        "/productpage/1",
        "/static/a.css",
        "/staticky",
        "/api/v1/products/0",
        "/",
      ];
      expect(paths.map((path) => decide(world, host, path) !== null)).toEqual([
        true,
        false,
        true,
        true,
        true,
        false,
      ]);
    });

    test("the example's own policy still decides how ratings are called", () => {
      const unit = compileUnit(worldWith("destination-rule-all"), RATINGS);
      expect(unit).toMatchObject({
        traffic: { timeouts: { requestMs: 2000, perTryMs: 500 } },
        subsets: { v1: { endpoints: ["ratings-v1"], traffic: { timeouts: { requestMs: 2000 } } } },
      });
    });
  },
);
