/**
 * Istio's own samples for its bookinfo application apply unchanged. The files
 * are not part of this repository but lie beside it where they are there at all.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compileUnit } from "../../shared/compile/compile.ts";
import { put } from "../../shared/compile/world.ts";
import { parseYaml, store, worldOf } from "./worlds.ts";

const FOLDER = join(import.meta.dirname, "../../../shared/conformance/istio-bookinfo");
const FILES = existsSync(FOLDER)
  ? readdirSync(FOLDER).filter((file) => /^(gateway-api|platform-kube)-/.test(file))
  : [];

const SERVICES = ["productpage", "details", "reviews", "ratings"]
  .map(
    (name) =>
      `{apiVersion: v1, kind: Service, metadata: {name: ${name}, namespace: bookinfo}, spec: {selector: {app: ${name}}, ports: [{port: 9080}]}}`,
  )
  .join("\n---\n");

function read(file: string): string {
  return readFileSync(join(FOLDER, file), "utf8");
}

const TITLE = FILES.length === 0 ? `skipped: there are no samples in ${FOLDER}` : "Istio's samples";

describe.skipIf(FILES.length === 0)(TITLE, () => {
  test.each(FILES)("%s is accepted", (file) => {
    expect(parseYaml(read(file), "bookinfo")).not.toEqual([]);
  });

  test("the 90/10 split of reviews takes the place of all-v1", () => {
    const world = worldOf(SERVICES);
    const files = [
      "platform-kube-bookinfo-versions.yaml",
      "gateway-api-route-all-v1.yaml",
      "gateway-api-route-reviews-90-10.yaml",
    ];
    const resources = files.flatMap((file) => parseYaml(read(file), "bookinfo"));
    resources.forEach((parsed, age) => put(world, store(parsed, age)));
    expect(compileUnit(world, "service:bookinfo/reviews")).toMatchObject({
      routes: [
        {
          port: 9080,
          consumerNamespace: null,
          routes: {
            actions: [
              {
                route: "bookinfo/reviews",
                backends: [
                  { service: "bookinfo/reviews-v1", port: 9080, weight: 90, filters: {} },
                  { service: "bookinfo/reviews-v2", port: 9080, weight: 10, filters: {} },
                ],
              },
            ],
          },
        },
      ],
    });
  });

  test("the gateway leads to productpage alone", () => {
    const world = worldOf(SERVICES);
    parseYaml(read("gateway-api-bookinfo-gateway.yaml"), "bookinfo").forEach((parsed, age) =>
      put(world, store(parsed, age)),
    );
    const unit = compileUnit(world, "host:bookinfo/bookinfo-gateway/http#*");
    expect(unit?.kind === "virtual-host" && unit.routes.entries.map(({ path }) => path)).toEqual([
      { kind: "exact", value: "/productpage" },
      { kind: "exact", value: "/logout" },
      { kind: "exact", value: "/login" },
      { kind: "prefix", value: "/api/v1/products" },
      { kind: "prefix", value: "/static" },
    ]);
  });
});
