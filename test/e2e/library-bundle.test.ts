/** What a Worker that joins the mesh pays for the library. */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";

test("the library has no schema library and no certificate library in it", async () => {
  const { metafile } = await build({
    entryPoints: [fileURLToPath(new URL("../../workers/library/worker.ts", import.meta.url))],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    external: ["cloudflare:*", "node:*"],
  });
  const packages = Object.keys(metafile.inputs).flatMap((path) => {
    const [, name] = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path) ?? [];
    return name === undefined ? [] : [name];
  });
  expect(new Set(packages).has("jose")).toBe(true);
  expect(
    packages.filter((name) => /^(zod|@peculiar|reflect-metadata|asn1js|pvutils|tsyringe)/.test(name)),
  ).toEqual([]);
});
