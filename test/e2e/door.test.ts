import { expect, test } from "vitest";
import { echo, startUpstream, type SeenRequest } from "../conformance/upstream.ts";
import { applyDocuments, clientOf, startMesh } from "./bookinfo.ts";
import { until } from "./http-client.ts";
import { rawHttp } from "./raw-http.ts";

const HOST = "door.localhost";

/** A service behind a gateway that lets everybody in, except to `/admin`. */
async function startDoor(): Promise<{ port: number; seen: readonly SeenRequest[] }> {
  const upstream = await startUpstream(echo);
  const runtime = await startMesh();
  await applyDocuments(clientOf(runtime), documents(upstream.url));
  const ready = await until(
    () => rawHttp(runtime.port, get("/ready")),
    (answer) => answer.includes(" 200 "),
  );
  expect(ready).toContain(" 200 ");
  return { port: runtime.port, seen: upstream.seen };
}

function documents(address: string): unknown[] {
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "bookinfo" } },
    named("v1", "Service", { selector: { app: "door" }, ports: [{ port: 80 }] }),
    named("selvedge.dev/v1", "Endpoint", { address }, { app: "door" }),
    named("gateway.networking.k8s.io/v1", "Gateway", {
      gatewayClassName: "selvedge",
      listeners: [{ name: "http", port: 80, protocol: "HTTP", hostname: HOST }],
    }),
    named("gateway.networking.k8s.io/v1", "HTTPRoute", {
      parentRefs: [{ name: "door" }],
      hostnames: [HOST],
      rules: [{ backendRefs: [{ name: "door", port: 80 }] }],
    }),
    named("security.istio.io/v1", "AuthorizationPolicy", {
      selector: { matchLabels: { app: "door" } },
      action: "DENY",
      rules: [{ to: [{ operation: { paths: ["/admin", "/admin/*"] } }] }],
    }),
  ];
}

function named(apiVersion: string, kind: string, spec: unknown, labels = {}): unknown {
  return { apiVersion, kind, metadata: { name: "door", labels }, spec };
}

function get(target: string, lines: readonly string[] = [`Host: ${HOST}`]): string {
  return `GET ${target} HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join("")}Connection: close\r\n\r\n`;
}

/** Status and, where the mesh refused, its code: `400 path.encoded`. */
function verdict(answer: string): string {
  const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? "no answer";
  const code = /"code":"([a-z_.]+)"/.exec(answer)?.[1];
  return code === undefined ? status : `${status} ${code}`;
}

/** What each line of a table got, by its first column. */
async function verdicts(port: number, requests: Readonly<Record<string, string>>) {
  const entries = await Promise.all(
    Object.entries(requests).map(async ([name, bytes]) => [name, verdict(await rawHttp(port, bytes))]),
  );
  return Object.fromEntries(entries);
}

const TARGETS: Readonly<Record<string, string>> = {
  // Understood in one way only: dot segments, backslashes, parameters are refused.
  "/./admin": "400 path.noncanonical",
  "/a/../admin": "400 path.noncanonical",
  "/a/%2e%2e/admin": "400 path.noncanonical",
  "/a/.%2e/admin": "400 path.noncanonical",
  "/a\\..\\admin": "400 path.noncanonical",
  "/\\admin": "400 path.noncanonical",
  "/\\evil.test/x": "400 path.noncanonical",
  "/admin;a=b": "400 path.noncanonical",
  "/a/..;/admin": "400 path.noncanonical",
  "/;/admin": "400 path.noncanonical",
  // Nothing hides behind escapes.
  "/a/..%2fadmin": "400 path.encoded",
  "/a%2f..%2fadmin": "400 path.encoded",
  "/admin%2f": "400 path.encoded",
  "/a/..%5cadmin": "400 path.encoded",
  "/admin%00": "400 path.encoded",
  "/admin%7f": "400 path.encoded",
  "/%252e%252e/admin": "400 path.encoded",
  "/%c0%af/admin": "400 path.encoded",
  "/%ff": "400 path.encoded",
  // Several spellings of one path: policy sees the path that the backend would see.
  "//admin": "403 authz.rule",
  "///admin": "403 authz.rule",
  "/%61dmin": "403 authz.rule",
  "/admin?": "403 authz.rule",
  "/admin?x=/public": "403 authz.rule",
  "/admin/": "403 authz.rule",
  // Other paths, truly.
  "/ADMIN": "200",
  "/admin%23x": "200",
  "/admin%3fx": "200",
  "/public?x=/admin": "200",
};

test("a path means the same to policy and to the backend, or is refused", async () => {
  const { port, seen } = await startDoor();

  const got = await verdicts(
    port,
    Object.fromEntries(Object.keys(TARGETS).map((target) => [target, get(target)])),
  );

  expect(got).toEqual(TARGETS);
  expect(seen.map(({ path }) => path).toSorted()).toEqual([
    "/ADMIN",
    "/admin%23x",
    "/admin%3Fx",
    "/public?x=/admin",
    "/ready",
  ]);
});

const HOSTS: Readonly<Record<string, string>> = {
  "DOOR.LocalHost": "200",
  "door.localhost.": "200",
  "door.localhost:80": "200",
  "door.localhost:443": "200",
  "unknown.test": "421 host.unknown",
  "[::2]": "421 host.unknown",
  "door.localhost@evil.test": "400 host.invalid",
  "evil.test@door.localhost": "400 host.invalid",
  "door.localhost/x": "400 host.invalid",
  "door.localhost#": "400 host.invalid",
  "door.localhost?x=": "400 host.invalid",
  "door.localhost:0": "400 host.invalid",
  "door.localhost:99999": "400 host.invalid",
  "door..localhost": "400 host.invalid",
  "::1": "400 host.invalid",
  "[::1%25lo]": "400 host.invalid",
  "0x7f.1": "400 host.invalid",
  door_localhost: "421 host.unknown",
  [`${"a".repeat(260)}.test`]: "400 host.invalid",
};

test("a host is in the grammar of hosts, or is refused", async () => {
  const { port } = await startDoor();

  const got = await verdicts(
    port,
    Object.fromEntries(Object.keys(HOSTS).map((host) => [host, get("/", [`Host: ${host}`])])),
  );

  expect(got).toEqual(HOSTS);
});

const HEADERS: Readonly<Record<string, readonly [expected: string, lines: readonly string[]]>> = {
  "two hosts": ["400 host.invalid", [`Host: ${HOST}`, "Host: evil.test"]],
  "no host": ["400", []],
  "Connection names the mesh's header": [
    "400 header.hopbyhop",
    [`Host: ${HOST}`, "Connection: x-selvedge-peer"],
  ],
  "Connection names Authorization": ["400 header.hopbyhop", [`Host: ${HOST}`, "Connection: Authorization"]],
  "two Authorizations": [
    "400 header.invalid",
    [`Host: ${HOST}`, "Authorization: Bearer a", "Authorization: Bearer b"],
  ],
  "a forged peer": ["401 authn.token.invalid", [`Host: ${HOST}`, "X-Selvedge-Peer: forged"]],
  "a forged number of hops": ["508 loop.detected", [`Host: ${HOST}`, "X-Selvedge-Hops: 9"]],
};

test("headers that could be understood in two ways are refused", async () => {
  const { port } = await startDoor();

  const got = await verdicts(
    port,
    Object.fromEntries(Object.entries(HEADERS).map(([name, [, lines]]) => [name, get("/", lines)])),
  );

  expect(got).toEqual(
    Object.fromEntries(Object.entries(HEADERS).map(([name, [expected]]) => [name, expected])),
  );
});

test("what a client says in the mesh's name never reaches a service", async () => {
  const { port, seen } = await startDoor();
  const claims = [
    "X-Selvedge-Endpoint: door",
    "X-Forwarded-Client-Cert: URI=spiffe://selvedge.local/ns/bookinfo/sa/admin",
    "Client-Cert: :Zm9yZ2Vk:",
    "X-Forwarded-For: 1.2.3.4",
    "X-Real-IP: 1.2.3.4",
    "Forwarded: for=1.2.3.4",
    "Proxy-Authorization: Basic Zm9yZ2Vk",
    "HTTP2-Settings: AAMAAABk",
  ];

  const answer = await rawHttp(port, get("/claims", [`Host: ${HOST}`, ...claims]));

  expect(verdict(answer)).toBe("200");
  const { headers = {} } = seen.find(({ path }) => path === "/claims") ?? {};
  expect(
    Object.values(headers).filter((value) => /1\.2\.3\.4|Zm9yZ2Vk|sa\/admin|AAMAAABk/.test(String(value))),
  ).toEqual([]);
  expect(headers["x-forwarded-client-cert"]).toContain("URI=spiffe://selvedge.local/ns/bookinfo/sa/door");
});

const FORMS: Readonly<Record<string, string>> = {
  // The runtime puts the Host header in the place of the target's authority: one host is left, and it decides.
  "http://evil.test/admin": "403 authz.rule",
  "http://door.localhost/absolute": "200",
  // The runtime makes `/` of it before the mesh sees it, so policy and backend agree.
  admin: "200",
  "*": "400 host.invalid",
};

test("a target in another form than `/path` means one thing, or is refused", async () => {
  const { port, seen } = await startDoor();

  const got = await verdicts(
    port,
    Object.fromEntries(Object.keys(FORMS).map((target) => [target, get(target)])),
  );

  expect(got).toEqual(FORMS);
  expect(seen.map(({ path }) => path).toSorted()).toEqual(["/", "/absolute", "/ready"]);
});

test("a request smuggled behind a body is not seen as one", async () => {
  const { port, seen } = await startDoor();
  const hidden = get("/smuggled");
  const framings = [
    `Content-Length: ${hidden.length + 5}\r\nTransfer-Encoding: chunked`,
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: xchunked",
    "Content-Length: +5",
    "Content-Length: 5, 6",
  ];

  await Promise.all(framings.map((framing) => rawHttp(port, `${post("/outer", framing)}0\r\n\r\n${hidden}`)));
  // What the test would see of a second request, if there were one.
  await rawHttp(port, `${post("/first", "Content-Length: 5")}hello${get("/second")}`);

  const paths = seen.map(({ path }) => path);
  expect(paths).not.toContain("/smuggled");
  expect(paths).toContain("/second");
});

function post(path: string, framing: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: ${HOST}\r\n${framing}\r\n\r\n`;
}
