import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/** Pure code in Node, objects inside the Workers runtime, the whole mesh over real sockets. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "test/{engine,wire,compile,front-doors,identity,forward,cli,chaos,conformance-tables}/**/*.test.ts",
          ],
        },
      },
      {
        plugins: [cloudflareTest({ wrangler: { configPath: "./wrangler.toml" } })],
        // Ships ES modules without saying so, and would be loaded as CommonJS.
        ssr: { noExternal: ["itty-durable"] },
        test: {
          name: "workerd",
          include: ["test/durable-objects/**/*.test.ts", "test/workers/**/*.test.ts"],
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/{e2e,conformance,attacks}/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
