import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readWorkerConfig } from "../../../cli/dev/worker-config.ts";

const HEAD = 'name = "shop"\nmain = "worker.ts"\ncompatibility_date = "2026-10-01"\n';

function file(content: string): { directory: string; configPath: string } {
  const directory = mkdtempSync(join(tmpdir(), "selvedge-test-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const configPath = join(directory, "wrangler.toml");
  writeFileSync(configPath, content);
  return { directory, configPath };
}

test("reads what the runtime needs and passes over what only a deploy needs", () => {
  const { directory, configPath } = file(
    `${HEAD}
routes = ["shop.example/*"]
compatibility_flags = ["global_fetch_strictly_public"]
[observability]
enabled = true
[vars]
A = "file"
B = { c = 1 }
[[services]]
binding = "MESH"
service = "selvedge"
entrypoint = "Mesh"
props = { namespace = "shop", serviceAccount = "shop" }
[[services]]
binding = "OTHER"
service = "other"
[[kv_namespaces]]
binding = "COPIES"
[[kv_namespaces]]
binding = "SHARED"
id = "0123"
[[durable_objects.bindings]]
name = "CART"
class_name = "Cart"
[[durable_objects.bindings]]
name = "STOCK"
class_name = "Stock"
script_name = "warehouse"
[[migrations]]
tag = "v1"
new_classes = ["Old"]
[[migrations]]
tag = "v2"
new_sqlite_classes = ["Cart"]
`,
  );

  const config = readWorkerConfig({
    configPath,
    vars: { A: "override" },
    services: { OTHER: { service: "another" } },
  });

  expect(config).toEqual({
    name: "shop",
    main: join(directory, "worker.ts"),
    compatibilityDate: "2026-10-01",
    compatibilityFlags: ["global_fetch_strictly_public"],
    vars: { A: "override", B: { c: 1 } },
    services: {
      MESH: { service: "selvedge", entrypoint: "Mesh", props: { namespace: "shop", serviceAccount: "shop" } },
      OTHER: { service: "another" },
    },
    objectBindings: {
      CART: { className: "Cart", service: "shop" },
      STOCK: { className: "Stock", service: "warehouse" },
    },
    objectClasses: [
      { className: "Old", hasSql: false },
      { className: "Cart", hasSql: true },
    ],
    kvNamespaces: { COPIES: "shop COPIES", SHARED: "0123" },
  });
});

test.each([
  ["a missing name", 'main = "worker.ts"\ncompatibility_date = "2026-10-01"', "has no name"],
  ["a missing main", 'name = "shop"\ncompatibility_date = "2026-10-01"', "has no main"],
  ["a missing date", 'name = "shop"\nmain = "worker.ts"', "has no compatibility_date"],
  [
    "bindings that it cannot play",
    `${HEAD}[[r2_buckets]]\nbinding = "R2"\nbucket_name = "pictures"\n[assets]\ndirectory = "public"`,
    "not supported by the local runtime: assets, r2_buckets",
  ],
  [
    "a migration that renames",
    `${HEAD}[[migrations]]\ntag = "v1"\nnew_sqlite_classes = ["A"]\n[[migrations]]\ntag = "v2"\nrenamed_classes = [{ from = "A", to = "B" }]`,
    "migration v2: renamed_classes and deleted_classes are not supported locally",
  ],
])("refuses %s", (_, content, message) => {
  const { configPath } = file(content);
  expect(() => readWorkerConfig({ configPath })).toThrow(message);
});

test("names a file that is not there", () => {
  expect(() => readWorkerConfig({ configPath: "/nowhere/wrangler.toml" })).toThrow(
    "there is no file /nowhere/wrangler.toml",
  );
});
