import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { Client } from "../../cli/client.ts";
import { issuedToken, serviceStatus } from "../../shared/wire/admin.ts";
import { VERSION } from "../../shared/wire/version.ts";
import { applyDocuments, clientOf, startMesh } from "./bookinfo.ts";
import { startHealthServer } from "../fakes/grpc-health-server.ts";
import { ask, inTurns, until } from "./http-client.ts";

/** An HTTP server at a free port of 127.0.0.1; its health is as its owner says. */
interface Origin {
  readonly url: string;
  readonly server: Server;
  isWell: boolean;
  /** Headers of the health checks that came. */
  readonly checks: Readonly<Record<string, unknown>>[];
}

async function startOrigin(name: string): Promise<Origin> {
  const checks: Record<string, unknown>[] = [];
  const server = createServer((request, response) => {
    const isCheck = request.url === "/healthz";
    if (isCheck) checks.push(request.headers);
    response.writeHead(isCheck && !origin.isWell ? 500 : 200).end(name);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => stop(server));
  const { port } = server.address() as AddressInfo;
  const origin = { url: `http://127.0.0.1:${port}`, server, isWell: true, checks };
  return origin;
}

function stop(server: Server): void {
  server.closeAllConnections();
  server.close();
}

function documents(
  origins: Readonly<Record<string, { readonly url: string }>>,
  healthCheck: object,
): readonly unknown[] {
  const labels = { app: "web" };
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web" },
      spec: { selector: labels, ports: [{ port: 80 }] },
    },
    ...Object.entries(origins).map(([name, { url }]) => ({
      apiVersion: "selvedge.dev/v1",
      kind: "Endpoint",
      metadata: { name, labels },
      spec: { address: url },
    })),
    {
      apiVersion: "selvedge.dev/v1",
      kind: "TrafficPolicy",
      metadata: { name: "web" },
      spec: { targetRefs: [{ kind: "Service", name: "web" }], healthCheck },
    },
  ];
}

const FAST = { interval: "1s", jitter: "0s", timeout: "500ms", unhealthyThreshold: 2, healthyThreshold: 2 };

/** Interval times threshold, a second until the first check after the change, and a half for what is slow here. */
const WITHIN_MS = 1_000 * 2 + 1_500;

async function startWeb(healthCheck: object) {
  const origins = { one: await startOrigin("one"), two: await startOrigin("two") };
  const runtime = await startMesh();
  const client = clientOf(runtime);
  await applyDocuments(client, documents(origins, healthCheck));
  const body = { workload: "bookinfo/web" };
  const { token } = await client.call({ method: "POST", path: "/tokens", body, answer: issuedToken });
  const headers = { authorization: `Bearer ${token}` };
  return {
    ...origins,
    turnsTo: (wanted: string) => secondTurnsTo(client, wanted),
    /** Who answers forty calls. */
    async served(): Promise<Record<string, number>> {
      const answers = await inTurns(40, 4, () =>
        ask({ port: runtime.port, host: "web.bookinfo.mesh.localhost", path: "/", headers }),
      );
      const counts: Record<string, number> = {};
      for (const { status, body: text } of answers) {
        const key = status === 200 ? text : String(status);
        counts[key] = (counts[key] ?? 0) + 1;
      }
      return counts;
    },
  };
}

/** Waits until the mesh says so of endpoint two; answers how long that took. */
async function secondTurnsTo(client: Client, wanted: string): Promise<number> {
  const begin = performance.now();
  const seen = await until(
    async () => {
      const service = await client.call({ path: "/services/bookinfo/web", answer: serviceStatus });
      return service.endpoints.find(({ id }) => id === "two")?.health;
    },
    (health) => health === wanted,
  );
  expect(seen).toBe(wanted);
  return performance.now() - begin;
}

/** Hosts hear of a verdict within the second after which they ask for news. */
function isAlone(counts: Record<string, number>): boolean {
  return Object.keys(counts).length === 1;
}

test("an origin that fails its check gets no calls within interval times threshold, and comes back", async () => {
  const web = await startWeb({ path: "/healthz", ...FAST });
  expect(Object.keys(await web.served()).sort()).toEqual(["one", "two"]);

  web.two.isWell = false;
  expect(await web.turnsTo("unhealthy")).toBeLessThan(WITHIN_MS);
  expect(await until(web.served, isAlone)).toEqual({ one: 40 });

  web.two.isWell = true;
  expect(await web.turnsTo("healthy")).toBeLessThan(WITHIN_MS);
  const back = await until(web.served, (counts) => !isAlone(counts));
  expect(Object.keys(back).sort()).toEqual(["one", "two"]);

  const [check = {}] = web.two.checks;
  expect(check).toMatchObject({ "user-agent": `selvedge-health/${VERSION}` });
  expect(Object.keys(check).filter((name) => /authorization|cookie|selvedge/.test(name))).toEqual([]);
});

test("an origin that takes no connections fails a TCP check, and comes back with its port", async () => {
  const web = await startWeb({ type: "TCP", ...FAST });
  const { port } = web.two.server.address() as AddressInfo;
  await web.turnsTo("healthy");

  stop(web.two.server);
  expect(await web.turnsTo("unhealthy")).toBeLessThan(WITHIN_MS);
  expect(await until(web.served, isAlone)).toEqual({ one: 40 });

  await new Promise<void>((resolve) => web.two.server.listen(port, "127.0.0.1", resolve));
  expect(await web.turnsTo("healthy")).toBeLessThan(WITHIN_MS);
});

test("a gRPC server is as healthy as it says, in gRPC's own protocol", async () => {
  const [one, two] = [await startHealthServer(), await startHealthServer()];
  onTestFinished(() => one.stop());
  const client = clientOf(await startMesh());
  const check = { type: "GRPC", service: "shop.v1.Cart", initialState: "Unhealthy", ...FAST };
  await applyDocuments(client, documents({ one, two }, check));
  await secondTurnsTo(client, "healthy");

  for (const bad of [2, "silence"] as const) {
    two.answer = bad;
    // A probe that waits for its answer adds its time-out.
    expect(await secondTurnsTo(client, "unhealthy")).toBeLessThan(WITHIN_MS + 1_000);
    two.answer = "in pieces";
    expect(await secondTurnsTo(client, "healthy")).toBeLessThan(WITHIN_MS);
  }

  await two.stop();
  await secondTurnsTo(client, "unhealthy");
  await two.start();
  onTestFinished(() => two.stop());
  expect(await secondTurnsTo(client, "healthy")).toBeLessThan(WITHIN_MS);

  const [call] = one.calls;
  expect(call).toMatchObject({
    headers: { ":authority": `127.0.0.1:${one.port}`, "user-agent": `selvedge-health/${VERSION}` },
    message: Buffer.from("\0\0\0\0\x0e\n\x0cshop.v1.Cart").toString("hex"),
  });
  expect(
    Object.keys(call?.headers ?? {}).filter((name) => /authorization|cookie|selvedge/.test(name)),
  ).toEqual([]);
});
