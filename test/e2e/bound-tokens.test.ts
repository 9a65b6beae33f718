import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer as createPlainServer, type Server } from "node:http";
import https from "node:https";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { decodeJwt, SignJWT } from "jose";
import { expect, onTestFinished, test } from "vitest";
import type { Client } from "../../cli/client.ts";
import { requestHash } from "../../shared/identity/certificate-proof.ts";
import { readPem, writePem } from "../../shared/identity/pem.ts";
import { issuedToken } from "../../shared/wire/admin.ts";
import * as wire from "../../shared/wire/admin-authority.ts";
import { shown } from "../attacks/certificates.ts";
import { cli } from "../cli/cli-kit.ts";
import { type Keys, makeRequest } from "../identity/requests.ts";
import { applyDocuments, clientOf, startBookinfo, startMesh } from "./bookinfo.ts";
import { ask, until } from "./http-client.ts";
import { stateDir } from "./state-dir.ts";

const AUDIENCE = "spiffe://selvedge.local";
const ADMIN_TOKEN = "end-to-end";

/** A certificate of the mesh with its key, and a token that came with it. */
interface Held {
  readonly keys: Keys;
  /** PEM, with the chain behind the leaf. */
  readonly certificate: string;
  readonly token: string;
}

type Proof = { readonly joinToken: string } | { readonly by: Held };

async function certify(client: Client, proof: Proof, bound: boolean): Promise<Held> {
  const { csr, keys } = await makeRequest();
  const wanted = { csr, audience: AUDIENCE, isBound: bound };
  const proved = "by" in proof ? { assertion: await assertion(proof.by, wanted) } : proof;
  const body = { ...proved, csr, audience: AUDIENCE, bound };
  const { certificate, token } = await client.call({
    method: "POST",
    path: "/join",
    body,
    answer: wire.joined,
  });
  const pem = `${certificate?.certificate}${certificate?.chain}`;
  return { keys, certificate: pem, token: token?.token ?? "" };
}

async function assertion({ keys, certificate }: Held, wanted: object): Promise<string> {
  const x5c = [new X509Certificate(certificate).raw.toString("base64")];
  return new SignJWT({ rqh: await requestHash(wanted) })
    .setProtectedHeader({ alg: "ES256", x5c })
    .setAudience(AUDIENCE)
    .setIssuedAt()
    .setExpirationTime("30s")
    .sign(keys.privateKey);
}

async function joinAs(client: Client, workload: string, bound = true): Promise<Held> {
  const body = { scope: workload };
  const answer = wire.grantedJoinToken;
  const { token } = await client.call({ method: "POST", path: "/join-tokens", body, answer });
  return certify(client, { joinToken: token }, bound);
}

async function listen(server: Server | https.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const at = server.address();
  return typeof at === "object" && at !== null ? at.port : 0;
}

/** Ends TLS before the mesh, asks for client certificates, and tells of them what the platform would. */
async function startFront(meshPort: number, client: Client): Promise<number> {
  const bundle = await client.call({ path: "/.well-known/spiffe/bundle", answer: wire.trustBundleDocument });
  const roots = bundle.keys.flatMap(({ x5c = [] }) => x5c).map((root) => writePem("CERTIFICATE", root));
  const [, ...chain] = readPem((await joinAs(client, "bookinfo/front")).certificate);
  const directory = stateDir();
  const args = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=front";
  execFileSync("openssl", [...args.split(" "), "-keyout", "front.key", "-out", "front.pem"], {
    cwd: directory,
    stdio: "pipe",
    timeout: 20_000,
  });
  const [key, cert] = ["front.key", "front.pem"].map((name) => readFileSync(join(directory, name)));
  const options = { key, cert, ca: roots.join(""), requestCert: true, rejectUnauthorized: false };
  const front = https.createServer(options, (request, response) => {
    const tlsClientAuth = toldOf(
      request.socket as TLSSocket,
      chain.map(({ base64 }) => base64),
    );
    const cf = Buffer.from(JSON.stringify({ colo: "FRA", tlsClientAuth })).toString("base64");
    const { host = "", authorization } = request.headers;
    const headers = { "x-front-cf": cf, ...(authorization === undefined ? {} : { authorization }) };
    void ask({ port: meshPort, host: host.replace(/:.*/, ""), path: request.url ?? "/", headers }).then(
      ({ status, body }) => response.writeHead(status).end(body),
      () => response.writeHead(599).end(),
    );
  });
  return listen(front);
}

/** What the platform would tell. The server's library has verified the client's chain, and tells of its leaf alone. */
function toldOf(socket: TLSSocket, chain: readonly string[]): object {
  const leaf = socket.getPeerX509Certificate()?.raw.toString("base64");
  if (leaf === undefined) return { certPresented: "0", certVerified: "NONE" };
  return { ...shown(leaf, chain), certVerified: socket.authorized ? "SUCCESS" : "FAILED" };
}

/** The caller's end of a TLS connection. */
interface Shown {
  readonly held?: Held;
  readonly token?: string;
}

/** Calls a service over a connection of its own; answers the status, and the mesh's code if it has one. */
async function callOverTls(port: number, service: string, { held, token }: Shown): Promise<string> {
  const identity =
    held === undefined ? {} : { cert: held.certificate, key: await pemOf(held.keys.privateKey) };
  const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const request = https.request({
      host: "127.0.0.1",
      port,
      agent: false,
      rejectUnauthorized: false,
      headers: { host: `${service}.bookinfo.mesh.localhost`, ...bearer },
      ...identity,
    });
    request.setTimeout(10_000, () => request.destroy(new Error("no answer within 10 s")));
    request.on("error", reject);
    request.on("response", (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve(verdict(response.statusCode ?? 0, body)));
    });
    request.end();
  });
}

async function pemOf(key: Keys["privateKey"]): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", key));
  return writePem("PRIVATE KEY", der.toString("base64"));
}

function verdict(status: number, body: string): string {
  const { code = "" } = status === 200 ? {} : (JSON.parse(body) as { code?: string });
  return `${status} ${code}`.trim();
}

function documents(port: number): unknown[] {
  const service = (name: string) => [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name },
      spec: { ports: [{ port: 80 }], selector: { app: name } },
    },
    {
      apiVersion: "selvedge.dev/v1",
      kind: "Endpoint",
      metadata: { name, labels: { app: name } },
      spec: { address: `http://127.0.0.1:${port}`, serviceAccount: name },
    },
  ];
  const bound = { selector: { matchLabels: { app: "vault" } }, tokens: { binding: "Certificate" } };
  return [...service("vault"), ...service("open"), peerAuthentication(bound)];
}

function peerAuthentication(spec: object): object {
  return {
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { name: "bound" },
    spec,
  };
}

async function start() {
  const mesh = await startMesh({
    adminToken: ADMIN_TOKEN,
    meshMain: fileURLToPath(new URL("../attacks/keep/front.ts", import.meta.url)),
    sockets: { front: { service: "selvedge", entrypoint: "Front" } },
  });
  const client = clientOf(mesh);
  const server = createPlainServer((_request, response) => void response.end("treasure"));
  await applyDocuments(client, documents(await listen(server)));
  const port = await startFront(mesh.socket("front").port, client);
  const tls = (service: string, what: Shown) => callOverTls(port, service, what);
  const plain = async (service: string, token: string): Promise<string> => {
    const headers = { authorization: `Bearer ${token}` };
    const host = `${service}.bookinfo.mesh.localhost`;
    const { status, body } = await ask({ port: mesh.port, host, path: "/", headers });
    return verdict(status, body);
  };
  return { mesh, client, tls, plain };
}

const UNBOUND = "401 authn.token.unbound";

test("a token that is bound is worth nothing without the certificate's key", async () => {
  const { client, tls, plain } = await start();
  const web = await joinAs(client, "bookinfo/web");
  const again = await joinAs(client, "bookinfo/web");
  const thief = await joinAs(client, "bookinfo/thief");
  const { token } = web;

  expect(
    await until(
      () => tls("open", { held: web, token }),
      (got) => got === "200",
    ),
  ).toBe("200");
  for (const service of ["open", "vault"]) {
    expect([
      await tls(service, { held: web, token }),
      await tls(service, { held: thief, token }),
      await tls(service, { held: again, token }),
      await tls(service, { token }),
      await plain(service, token),
    ]).toEqual(["200", UNBOUND, UNBOUND, UNBOUND, UNBOUND]);
  }
});

test("where tokens are to be bound, others prove nobody, and what stands behind them does", async () => {
  const { client, tls, plain } = await start();
  const web = await joinAs(client, "bookinfo/web", false);
  const { token } = web;

  expect(
    await until(
      () => plain("open", token),
      (got) => got === "200",
    ),
  ).toBe("200");
  expect([
    await plain("vault", token),
    await tls("vault", { token }),
    await tls("vault", { held: web, token }),
    await tls("vault", { held: web }),
    await tls("vault", {}),
  ]).toEqual([UNBOUND, UNBOUND, "200", "200", "401 authn.missing"]);
});

test("a new certificate comes with a new token; the old one goes on with the old certificate alone", async () => {
  const { client, tls } = await start();
  const old = await joinAs(client, "bookinfo/web");
  const young = await certify(client, { by: old }, true);

  expect(
    await until(
      () => tls("vault", { held: young, token: young.token }),
      (got) => got === "200",
    ),
  ).toBe("200");
  expect([
    await tls("vault", { held: young, token: old.token }),
    await tls("vault", { held: old, token: young.token }),
    await tls("vault", { held: old, token: old.token }),
  ]).toEqual([UNBOUND, UNBOUND, "200"]);
});

test("an operator binds a token to a certificate in a file", async () => {
  const { mesh, client, tls } = await start();
  const web = await joinAs(client, "bookinfo/web", false);
  const directory = stateDir();
  writeFileSync(join(directory, "web.pem"), web.certificate);
  writeFileSync(join(directory, "web.csr"), (await makeRequest()).csr);
  const around = { env: { SELVEDGE_SERVER: mesh.url, SELVEDGE_ADMIN_TOKEN: ADMIN_TOKEN }, cwd: directory };
  const issue = (file: string) => cli(["token", "--as", "bookinfo/web", "--certificate", file], around);

  const { out, err } = await issue("web.pem");
  const token = out.trim();
  const { fingerprint256 } = new X509Certificate(web.certificate);
  const thumbprint = Buffer.from(fingerprint256.replaceAll(":", ""), "hex").toString("base64url");
  expect([decodeJwt(token)["cnf"], err]).toEqual([{ "x5t#S256": thumbprint }, ""]);
  expect(
    await until(
      () => tls("vault", { held: web, token }),
      (got) => got === "200",
    ),
  ).toBe("200");
  expect(await tls("vault", { token })).toBe(UNBOUND);
  expect((await issue("web.csr")).err).toContain("does not begin with a certificate in PEM");
  const audit = await cli(["ca", "audit"], around);
  expect(audit.out).toContain(`thumbprint/${thumbprint}`);
});

test("joined Workers call one whose tokens are bound over the edge, which vouches for them", async () => {
  const bookinfo = await startBookinfo({ sockets: { details: { service: "bookinfo-details-v1" } } });
  const details = { selector: { matchLabels: { app: "details" } }, tokens: { binding: "Certificate" } };
  await applyDocuments(bookinfo.client, [peerAuthentication(details)]);
  const audience = "spiffe://selvedge.local/ns/bookinfo/sa/bookinfo-details";
  const body = { workload: "bookinfo/bookinfo-productpage", audience };
  const { token } = await bookinfo.client.call({
    method: "POST",
    path: "/tokens",
    body,
    answer: issuedToken,
  });
  const { port } = bookinfo.runtime.socket("details");
  const direct = async (): Promise<string> => {
    const headers = { authorization: `Bearer ${token}` };
    const { status, body: text } = await ask({ port, host: "details", path: "/details/0", headers });
    return verdict(status, text);
  };

  expect(await until(direct, (got) => got !== "200")).toBe(UNBOUND);
  const page = await until(
    () => bookinfo.page("/productpage"),
    ({ body: text }) => text.includes("William Shakespeare"),
  );
  expect(page.body).toContain("William Shakespeare");
});
