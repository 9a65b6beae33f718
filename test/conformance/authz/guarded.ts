/**
 * A mesh with one workload behind it, which Istio's cases protect: what the
 * workload answers is the proof that a call came through.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { startRuntime, type Runtime } from "../../../cli/dev/runtime.ts";
import { DOOR_HEADER, formatGatewayAddress } from "../../../shared/forward/gateway-address.ts";
import { ask, type Reply } from "../http.ts";
import { doorOf, documentsOf, type Scenario, WAY_IN } from "./documents.ts";

export interface Context {
  readonly jwks: unknown;
  readonly tokens: unknown;
}

interface From {
  readonly namespace?: string | null;
  readonly serviceAccount?: string;
  readonly mtls?: boolean;
  readonly via?: string;
}

export interface Call {
  readonly from: From;
  readonly port: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Verdict {
  readonly decision: "allow" | "deny" | "unauthenticated";
  readonly status: number;
  readonly backendHeaders: Readonly<Record<string, string>>;
}

export interface Guarded {
  /** Makes the scenario's objects, and what stands for its workload, the whole configuration. */
  scenario(scenario: Scenario): Promise<void>;
  setLabels(set: Readonly<Record<string, string>>, remove: readonly string[]): Promise<void>;
  /** `null`: such a call cannot be made here. */
  decide(call: Call): Promise<Verdict | null>;
  stop(): Promise<void>;
}

const ADMIN_TOKEN = "conformance";
const LOOPBACK = "127.0.0.1";
/** Says that the workload itself answered. */
const MARKER = "x-guarded";

/** Starts the workload, an issuer of keys and the mesh, once for all scenarios. */
export async function startGuarded({ jwks }: Context): Promise<Guarded> {
  const workload = await listen((request) => [200, request]);
  const issuer = await listen((_headers, url) => (url.endsWith("/jwks.json") ? [200, jwks] : [404, null]));
  const stateDir = mkdtempSync(join(tmpdir(), "selvedge-authz-"));
  const runtime = await start(stateDir, addressOf(workload));
  const tokens = new Map<string, string>();
  let current: Scenario | null = null;

  const apply = async (scenario: Scenario): Promise<void> => {
    current = scenario;
    const documents = documentsOf(scenario, `http://${addressOf(issuer)}`);
    const reply = await admin(runtime, "POST", "/apply", { documents, prune: true });
    if (reply.status !== 200) throw new Error(`${scenario.id}: ${reply.body}`);
    await inForce(runtime);
  };
  const tokenOf = async (workloadName: string): Promise<string> => {
    const known = tokens.get(workloadName);
    if (known !== undefined) return known;
    const reply = await admin(runtime, "POST", "/tokens", { workload: workloadName });
    const token = String(JSON.parse(reply.body).token);
    tokens.set(workloadName, token);
    return token;
  };

  return {
    scenario: apply,
    setLabels: async (set, remove) => {
      if (current === null) throw new Error("there is no scenario");
      const labels = { ...current.target.labels, ...set };
      for (const name of remove) delete labels[name];
      await apply({ ...current, target: { ...current.target, labels } });
    },
    decide: async (call) => {
      // A stream has no way through the mesh yet.
      if (current === null || call.port === "tcp") return null;
      return verdictOf(await send(runtime, current, call, tokenOf));
    },
    stop: async () => {
      await runtime.stop();
      workload.close();
      issuer.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

type Answer = readonly [status: number, body: unknown];

/** A server that answers with JSON; the workload with the fields that it was sent. */
async function listen(answer: (headers: unknown, url: string) => Answer): Promise<Server> {
  const server = createServer((request, response) => {
    const [status, body] = answer(request.headers, request.url ?? "");
    response.writeHead(status, { "content-type": "application/json", [MARKER]: "1" });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
  return server;
}

function addressOf(server: Server): string {
  return `${LOOPBACK}:${(server.address() as AddressInfo).port}`;
}

function start(stateDir: string, workload: string): Promise<Runtime> {
  return startRuntime({
    workers: [
      {
        configPath: fileURLToPath(new URL("../../../wrangler.toml", import.meta.url)),
        vars: {
          SELVEDGE_TRUST_DOMAIN: "selvedge.test",
          SELVEDGE_MESH_DOMAIN: "mesh.test",
          SELVEDGE_ADMIN_HOSTS: LOOPBACK,
          SELVEDGE_PRIVATE_ENDPOINTS: "allow",
          // Istio's cases have one proxy before the ingress gateway, which tells the client's address.
          SELVEDGE_TRUSTED_HOPS: "1",
          SELVEDGE_ADMIN_TOKEN_SHA256: createHash("sha256").update(ADMIN_TOKEN).digest("hex"),
        },
        services: { WORKLOAD: { external: workload } },
      },
    ],
    main: "selvedge",
    stateDir,
    sockets: { door: { service: "selvedge", entrypoint: "Door" } },
    ...(process.env["SELVEDGE_TEST_OUTPUT"] === undefined ? { output: () => undefined } : {}),
  });
}

function admin(runtime: Runtime, method: string, path: string, body?: unknown): Promise<Reply> {
  return ask(runtime.port, `/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** Resolves when the edge carries calls by the configuration that was applied last. */
async function inForce(runtime: Runtime): Promise<void> {
  const { version } = JSON.parse((await admin(runtime, "GET", "/status")).body);
  const giveUpAt = Date.now() + 10_000;
  while (Date.now() < giveUpAt) {
    const reply = await ask(runtime.socket("door").port, "/", { headers: { [DOOR_HEADER]: "status" } });
    if (Number(JSON.parse(reply.body).version) >= version) return;
    await sleep(20);
  }
  throw new Error(`version ${version} did not come into force`);
}

async function send(
  runtime: Runtime,
  scenario: Scenario,
  { from, port, method, path, headers }: Call,
  tokenOf: (workload: string) => Promise<string>,
): Promise<Reply> {
  const { target, clients = {} } = scenario;
  const isProved = from.mtls === true && typeof from.namespace === "string";
  const workload = `${from.namespace ?? ""}/${from.serviceAccount ?? "default"}`;
  const address = clients[workload]?.ip ?? clients[Object.keys(clients)[0] ?? ""]?.ip ?? "192.0.2.1";
  const told = {
    ...headers,
    // The platform's own word for who is connected.
    "cf-connecting-ip": address,
    ...(isProved ? { "x-selvedge-peer": await tokenOf(workload) } : {}),
  };
  if (from.via !== undefined) {
    const door = formatGatewayAddress({ gateway: doorOf(scenario), port: 80, scheme: "http" });
    return ask(runtime.socket("door").port, path, { method, headers: { ...told, [DOOR_HEADER]: door } });
  }
  const servicePort = target.ports[port]?.workloadPort ?? 80;
  const host = `${target.service}.${target.namespace}.mesh.test:${servicePort}`;
  if (isCanonical(path)) return ask(runtime.port, path, { method, headers: { host, ...told } });
  // By a service's mesh name such paths are refused; where a gateway's listener has Istio's level of paths, they are read.
  const door = formatGatewayAddress({ gateway: WAY_IN, port: servicePort, scheme: "http" });
  return ask(runtime.socket("door").port, path, { method, headers: { host, ...told, [DOOR_HEADER]: door } });
}

/** Nothing in the path is read in more than one way. */
function isCanonical(path: string): boolean {
  const [raw = ""] = path.split("?");
  return !/\/\/|\/\.{1,2}(\/|$)|%2e|\\/i.test(raw);
}

function verdictOf({ status, headers, body }: Reply): Verdict {
  if (headers[MARKER] === "1") return { decision: "allow", status, backendHeaders: JSON.parse(body) };
  return { decision: status === 401 ? "unauthenticated" : "deny", status, backendHeaders: {} };
}
