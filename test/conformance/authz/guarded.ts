/**
 * A mesh with one workload behind it, which Istio's cases protect: what the
 * workload answers is the proof that a call came through.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
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
import { documentsOf, type Scenario, WAY_IN } from "./documents.ts";
import { doorOf } from "./doors.ts";

export interface Context {
  readonly jwks: unknown;
  readonly tokens: unknown;
}

interface From {
  readonly namespace?: string | null;
  readonly serviceAccount?: string;
  readonly trustDomain?: string;
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
/** Istio's stand-in for the trust domain of its mesh: here, the one that issues tokens. */
const OWN_DOMAIN = "cluster.local";

/** Starts the workload, an issuer of keys, an external authorizer and the mesh, once for all scenarios. */
export async function startGuarded({ jwks }: Context): Promise<Guarded> {
  const workload = await listen(({ headers }) => ({
    status: 200,
    body: headers,
    headers: { [MARKER]: "1" },
  }));
  const issuer = await listen((request) => keysFor(request, jwks));
  const authorizer = await listen(judge);
  const stateDir = mkdtempSync(join(tmpdir(), "selvedge-authz-"));
  const runtime = await start(stateDir, addressOf(workload));
  const tokens = new Map<string, string>();
  const places = { issuer: `http://${addressOf(issuer)}`, authorizer: `http://${addressOf(authorizer)}` };
  let current: Scenario | null = null;
  let refusal: string | null = null;

  const apply = async (scenario: Scenario): Promise<void> => {
    current = scenario;
    const documents = documentsOf(scenario, places);
    const reply = await admin(runtime, "POST", "/apply", { documents, prune: true });
    // Told by each of its calls: a scenario that is refused must not end the run.
    refusal = reply.status === 200 ? null : `${scenario.id}: ${reply.body}`;
    if (refusal === null) await inForce(runtime);
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
      // A stream has no way through the mesh yet, and no other mesh's authority is at hand.
      const { trustDomain = OWN_DOMAIN } = call.from;
      if (current === null || call.port === "tcp" || trustDomain !== OWN_DOMAIN) return null;
      if (refusal !== null) throw new Error(refusal);
      return verdictOf(await send(runtime, current, call, tokenOf));
    },
    stop: async () => {
      await runtime.stop();
      workload.close();
      issuer.close();
      authorizer.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

type Answerer = (request: IncomingMessage) => Answer | Promise<Answer>;

/** A server that answers with JSON. */
async function listen(answer: Answerer): Promise<Server> {
  const server = createServer((request, response) => {
    void Promise.resolve(answer(request)).then(({ status, body, headers }) => {
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
  return server;
}

/** Istio's server of keys, which is as slow as it is asked to be: `?delay=500ms`. */
async function keysFor({ url = "" }: IncomingMessage, jwks: unknown): Promise<Answer> {
  const { pathname, searchParams } = new URL(url, "http://issuer");
  const delay = /^(\d+)(ms|s)$/.exec(searchParams.get("delay") ?? "");
  if (delay !== null) await sleep(Number(delay[1]) * (delay[2] === "s" ? 1000 : 1));
  return pathname.endsWith("/jwks.json") ? { status: 200, body: jwks } : { status: 404, body: null };
}

/** Istio's sample of an external authorizer: a field of the call itself says what it decides. */
function judge({ headers, method = "", url = "" }: IncomingMessage): Answer {
  const isAllowed = headers["x-ext-authz"] === "allow";
  const told = {
    "x-ext-authz-check-result": isAllowed ? "allowed" : "denied",
    "x-ext-authz-check-received": `${method} ${headers["x-forwarded-host"] ?? ""}${url}`,
    "x-ext-authz-additional-header-new": String(headers["x-ext-authz-additional-header-new"]),
    "x-ext-authz-additional-header-override": String(headers["x-ext-authz-additional-header-override"]),
  };
  return { status: isAllowed ? 200 : 403, body: null, headers: told };
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
    const door = formatGatewayAddress(doorOf(scenario, hostOf(headers)));
    return ask(runtime.socket("door").port, path, { method, headers: { ...told, [DOOR_HEADER]: door } });
  }
  const servicePort = target.ports[port]?.workloadPort ?? 80;
  const host = `${target.service}.${target.namespace}.mesh.test:${servicePort}`;
  if (isCanonical(path)) return ask(runtime.port, path, { method, headers: { host, ...told } });
  // By a service's mesh name such paths are refused; where a gateway's listener has Istio's level of paths, they are read.
  const door = formatGatewayAddress({ gateway: WAY_IN, port: servicePort, scheme: "http" });
  return ask(runtime.socket("door").port, path, { method, headers: { host, ...told, [DOOR_HEADER]: door } });
}

function hostOf(headers: Call["headers"]): string {
  const [, host = ""] = Object.entries(headers).find(([name]) => name.toLowerCase() === "host") ?? [];
  return host.split(":")[0]?.toLowerCase() ?? "";
}

/** Nothing in the path is read in more than one way. */
function isCanonical(path: string): boolean {
  const [raw = ""] = path.split("?");
  return !/\/\/|\/\.{1,2}(\/|$)|%2e|\\/i.test(raw);
}

function verdictOf({ status, headers, body }: Reply): Verdict {
  if (headers[MARKER] === "1") return { decision: "allow", status, backendHeaders: JSON.parse(body) };
  // In Istio a caller that proves nothing where all have to gets no connection: it is denied, by whatever status.
  const isUnknown = status === 401 && !body.includes('"authn.missing"');
  return { decision: isUnknown ? "unauthenticated" : "deny", status, backendHeaders: {} };
}
