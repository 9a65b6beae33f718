/**
 * What a token that counts once adds to a call, in milliseconds at the median:
 * the same Workers and clients at an operation that takes a token once and at
 * one that does not, in turns in one run.
 *
 *   node bench/once.ts
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient } from "../cli/client.ts";
import { startLocalMesh } from "../cli/dev/local-mesh.ts";
import { applyAnswer, issuedToken } from "../shared/wire/admin.ts";
import { inTurns } from "../test/e2e/http-client.ts";
import { load, quantile, type Target } from "./load.ts";

const ROUNDS = 5;
const CALLS = 200;
/** One at a time for what a call takes, some beside one another for what many of them do. */
const CONNECTIONS = [1, 8];

const ADMIN_TOKEN = "bench";
const stateDir = mkdtempSync(join(tmpdir(), "selvedge-once-"));
const fixture = (name: string): { configPath: string } => ({
  configPath: fileURLToPath(new URL(`../test/e2e/fixtures/${name}/wrangler.toml`, import.meta.url)),
});
const runtime = await startLocalMesh({
  port: 0,
  stateDir,
  adminToken: ADMIN_TOKEN,
  workers: [fixture("payer"), fixture("till")],
  services: { PAYER: { service: "payer" }, TILL: { service: "till" } },
  output: () => undefined,
});
const client = createClient({ server: runtime.url, token: ADMIN_TOKEN, timeoutMs: 10_000 });

try {
  const body = { documents: documents(), defaultNamespace: "bookinfo" };
  await client.call({ method: "POST", path: "/apply", body, answer: applyAnswer });
  for (const connections of CONNECTIONS) {
    for (const service of ["till", "payer"]) {
      const medians = { "/": [] as number[], "/pay": [] as number[] };
      for (let round = 0; round <= ROUNDS; round++) {
        for (const path of ["/", "/pay"] as const) {
          const { latenciesMs } = await load(await target(service, path), CALLS, connections);
          // The first round warms up.
          if (round > 0) medians[path].push(quantile(latenciesMs, 0.5));
        }
      }
      const [ordinary, once] = [medians["/"], medians["/pay"]].map(middle);
      console.log(`${service}, ${connections} at once: ${ordinary} ms, once ${once} ms`);
    }
  }
} finally {
  await runtime.stop();
  rmSync(stateDir, { recursive: true, force: true });
}

function middle(values: readonly number[]): string {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  ).toFixed(2);
}

/** Each call brings a token of its own, at either path. */
async function target(service: string, path: string): Promise<Target> {
  const tokens = await inTurns(CALLS, 8, async () => {
    const body = { workload: "bookinfo/client" };
    return (await client.call({ method: "POST", path: "/tokens", body, answer: issuedToken })).token;
  });
  const host = `${service}.bookinfo.mesh.localhost`;
  return {
    port: runtime.port,
    request: (n) => ({ path, headers: { host, authorization: `Bearer ${tokens[n] ?? ""}` } }),
  };
}

function documents(): unknown[] {
  return ["payer", "till"].flatMap((name) => {
    const metadata = { name, labels: { app: name } };
    const address = `binding:${name.toUpperCase()}`;
    return [
      {
        apiVersion: "v1",
        kind: "Service",
        metadata,
        spec: { selector: { app: name }, ports: [{ port: 80 }] },
      },
      {
        apiVersion: "selvedge.dev/v1",
        kind: "Endpoint",
        metadata,
        spec: { address, joined: true, serviceAccount: name },
      },
      {
        apiVersion: "selvedge.dev/v1",
        kind: "PeerAuthentication",
        metadata,
        spec: {
          selector: { matchLabels: { app: name } },
          ...(name === "till" && { tokens: { once: [{ paths: ["/pay"] }] } }),
        },
      },
    ];
  });
}
