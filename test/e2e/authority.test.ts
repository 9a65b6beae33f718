import { execFileSync, spawnSync } from "node:child_process";
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, createServer, type TLSSocket } from "node:tls";
import type { AddressInfo } from "node:net";
import { createLocalJWKSet, jwtVerify, SignJWT } from "jose";
import { expect, onTestFinished, test } from "vitest";
import { joined, trustBundleDocument } from "../../shared/wire/admin-authority.ts";
import { cli, type Ran } from "../cli/cli-kit.ts";
import { startMesh } from "./bookinfo.ts";
import { stateDir } from "./state-dir.ts";

const TOKEN = "authority";

interface Station {
  readonly url: string;
  readonly directory: string;
  selvedge(args: string): Promise<Ran>;
}

/** A mesh of its own, and command lines in a folder of its own. */
async function start(): Promise<Station> {
  const { url } = await startMesh({ adminToken: TOKEN });
  const directory = stateDir();
  const around = { env: { SELVEDGE_SERVER: url, SELVEDGE_ADMIN_TOKEN: TOKEN }, cwd: directory };
  return { url, directory, selvedge: (args) => cli(args.split(" "), around) };
}

function openssl(directory: string, args: string): string {
  return execFileSync("openssl", args.split(" "), { cwd: directory, encoding: "utf8", timeout: 10_000 });
}

/** A key and a request of openssl's own, and the certificate with its chain, in files of that name. */
async function enroll(station: Station, name: string): Promise<void> {
  const { directory, selvedge } = station;
  openssl(directory, `ecparam -name prime256v1 -genkey -noout -out ${name}.key`);
  openssl(directory, `req -new -key ${name}.key -subj /CN=somebody-else -out ${name}.csr`);
  const { code, out, err } = await selvedge(`ca issue --as shop/${name} --csr ${name}.csr`);
  expect([code, err]).toEqual([0, expect.stringMatching(/^Serial [0-9a-f]{32}, valid until /)]);
  writeFileSync(join(directory, `${name}.pem`), out);
}

test("openssl verifies what the authority issues, and reads of it what it should say", async () => {
  const station = await start();
  const { directory, selvedge } = station;
  await enroll(station, "web");
  writeFileSync(join(directory, "roots.pem"), (await selvedge("ca bundle")).out);

  const verify = "verify -x509_strict -purpose sslclient -CAfile roots.pem -untrusted web.pem web.pem";
  expect(openssl(directory, verify)).toBe("web.pem: OK\n");
  expect(openssl(directory, verify.replace("sslclient", "sslserver"))).toBe("web.pem: OK\n");
  const text = openssl(directory, "x509 -in web.pem -noout -text");
  const extensions = text.slice(text.indexOf("X509v3 extensions"), text.indexOf("Signature Value"));
  expect(extensions).toMatch(/Basic Constraints: critical\s+CA:FALSE\n/);
  expect(extensions).toMatch(/Key Usage: critical\s+Digital Signature\n/);
  expect(extensions).toMatch(
    /Extended Key Usage:\s+TLS Web Server Authentication, TLS Web Client Authentication\n/,
  );
  expect(extensions).toMatch(
    /Subject Alternative Name: critical\s+URI:spiffe:\/\/[\w.]+\/ns\/shop\/sa\/web\n/,
  );
  expect(text).toMatch(/Subject: *\n/);
  expect(text).not.toContain("somebody-else");
  const intermediate = readFileSync(join(directory, "web.pem"), "utf8").split(
    /(?<=-----END CERTIFICATE-----\n)/,
  )[1];
  writeFileSync(join(directory, "intermediate.pem"), intermediate ?? "");
  const above = openssl(directory, "x509 -in intermediate.pem -noout -text");
  expect(above).toMatch(/CA:TRUE, pathlen:0/);
  expect(above).toMatch(/Name Constraints: critical\s+Permitted:\s+URI:[\w.]+\n/);
});

/** One TLS session with certificates on both sides: who each thinks the other is. */
async function shakeHands(directory: string, roots: string): Promise<readonly (string | undefined)[]> {
  const file = (name: string) => readFileSync(join(directory, name));
  const accepted = Promise.withResolvers<string | undefined>();
  // Whichever side finds fault first, the other's error is not waited for.
  accepted.promise.catch(() => undefined);
  const options = { ca: roots, requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.3" } as const;
  const server = createServer({ ...options, key: file("api.key"), cert: file("api.pem") }, (socket) => {
    accepted.resolve(namesOf(socket));
    socket.end();
  });
  server.on("tlsClientError", accepted.reject);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const client = connect({
    ...options,
    host: "127.0.0.1",
    port,
    key: file("web.key"),
    cert: file("web.pem"),
    // The peer's name is its SPIFFE id, which is looked at below.
    checkServerIdentity: () => undefined,
  });
  await new Promise<void>((resolve, reject) => client.once("secureConnect", resolve).once("error", reject));
  const seen = namesOf(client);
  client.end();
  return [seen, await accepted.promise];
}

function namesOf(socket: TLSSocket): string | undefined {
  const raw = socket.getPeerCertificate().raw;
  return new X509Certificate(raw).subjectAltName?.replace(/spiffe:\/\/[\w.]+/, "");
}

test("two workloads shake hands over TLS 1.3, before and after a rotation of the intermediate", async () => {
  const station = await start();
  const { directory, selvedge } = station;
  await enroll(station, "api");
  await enroll(station, "web");
  const roots = (await selvedge("ca bundle")).out;
  const both = ["URI:/ns/shop/sa/api", "URI:/ns/shop/sa/web"];
  expect(await shakeHands(directory, roots)).toEqual(both);

  expect((await selvedge("ca rotate --intermediate")).code).toBe(0);
  await enroll(station, "web");
  expect(await shakeHands(directory, roots)).toEqual(both);
  await expect(shakeHands(directory, (await (await start()).selvedge("ca bundle")).out)).rejects.toThrow();
});

test("a public JOSE library checks the mesh's tokens with the keys of its trust bundle", async () => {
  const { url, selvedge } = await start();
  const token = (await selvedge("token --as shop/web")).out.trim();
  const answer = await fetch(`${url}/.well-known/spiffe/bundle`, { signal: AbortSignal.timeout(10_000) });
  expect([answer.status, answer.headers.get("cache-control")]).toEqual([200, "public, max-age=60"]);
  const bundle = trustBundleDocument.parse(await answer.json());
  expect(bundle).toMatchObject({ spiffe_sequence: expect.any(Number), spiffe_refresh_hint: 300 });
  expect(bundle.keys.map(({ use }) => use)).toEqual(["x509-svid", "jwt-svid", "jwt-svid"]);
  const keys = bundle.keys.filter(({ use }) => use === "jwt-svid");
  // What SPIFFE says of a key's use is not what JOSE libraries look for.
  const jwks = createLocalJWKSet({
    keys: keys.map(({ kty, kid = "", crv = "", x = "", y = "" }) => ({ kty, kid, crv, x, y })),
  });
  const { payload } = await jwtVerify(token, jwks, { algorithms: ["ES256"] });
  expect(payload.sub).toMatch(/^spiffe:\/\/[\w.]+\/ns\/shop\/sa\/web$/);
  const { keys: published } = JSON.parse((await selvedge("ca bundle --format jwks")).out);
  await jwtVerify(token, createLocalJWKSet({ keys: published }), { algorithms: ["ES256"] });
});

test("an operator sees, rotates, revokes and reads the audit", async () => {
  const station = await start();
  const { selvedge, directory } = station;
  await enroll(station, "web");
  const status = await selvedge("ca status");
  expect(status.out).toMatch(/^root +current +[0-9a-f]{16} +\d{4}-\d\d-\d\d$/m);
  expect(status.out).toMatch(/^intermediate +current +[0-9a-f]{16} +\d{4}-\d\d-\d\d +renewed by itself on /m);
  expect((await selvedge("ca rotate --root")).out).toMatch(/^root +next +.* takes over at /m);
  expect((await selvedge("ca rotate")).code).toBe(2);
  expect((await selvedge("ca rotate --root --intermediate")).code).toBe(2);

  const { items } = { items: JSON.parse((await selvedge("ca audit -o json")).out) };
  expect(items).toMatchObject([{ kind: "x509-svid", requester: "admin", number: 1 }]);
  expect((await selvedge("ca audit --workload shop/other -o json")).out).toBe("[]\n");
  const serial = openssl(directory, "x509 -in web.pem -noout -serial").trim().replace("serial=", "");
  expect(await selvedge(`ca revoke --serial ${serial} --reason lost`)).toMatchObject({
    code: 0,
    out: `serial ${serial.toLowerCase()} revoked\n`,
  });
  expect((await selvedge("ca revoke --identity shop/nobody")).err).toContain("the audit knows nothing");
  expect((await selvedge("ca revocations")).out.split("\n")).toHaveLength(4);
});

test("the logs are checked from outside, and again from the heads that were noted", async () => {
  const station = await start();
  const { selvedge } = station;
  await enroll(station, "web");
  await selvedge("token join create --workload shop/web");
  const first = await selvedge("audit verify");
  expect(first).toMatchObject({ code: 0, err: "" });
  const [operations = "", , issuance = ""] = [...first.out.matchAll(/ head (\S+)$/gm)].map(
    ([, head]) => head,
  );
  expect(operations).toMatch(/^operations:2:[0-9a-f]{64}$/);
  expect(issuance).toMatch(/^issuance:1:[0-9a-f]{64}$/);

  await enroll(station, "cart");
  const again = await selvedge(`audit verify --expect ${operations} --since ${issuance}`);
  expect(again.out).toContain(`head ${operations}\n`);
  expect(again.out).toMatch(/^issuance: 1 line, from 2 to 2, head issuance:2:/m);
  const forged = issuance.replace(/.$/, (digit) => (digit === "0" ? "1" : "0"));
  expect(await selvedge(`audit verify --log issuance --expect ${forged}`)).toMatchObject({
    code: 1,
    err: expect.stringContaining("line 1 has another hash than the one that was noted"),
  });
});

test("an intermediate that openssl made is loaded, and one that may not sign is refused", async () => {
  const { selvedge, directory } = await start();
  const run = (args: string) =>
    spawnSync("openssl", args.split(" "), { cwd: directory, timeout: 10_000 }).status;
  const config =
    "[ca]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n[leaf]\nbasicConstraints=CA:FALSE\n";
  writeFileSync(join(directory, "ext.cnf"), config);
  for (const name of ["root", "inter"]) {
    run(`genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ${name}.key`);
    run(`req -new -key ${name}.key -subj /CN=${name} -out ${name}.csr`);
  }
  run("x509 -req -in root.csr -signkey root.key -days 30 -extfile ext.cnf -extensions ca -out root.pem");
  const issue =
    "x509 -req -in inter.csr -CA root.pem -CAkey root.key -CAcreateserial -days 20 -extfile ext.cnf";
  for (const kind of ["ca", "leaf"]) {
    run(`${issue} -extensions ${kind} -out ${kind}.pem`);
    const chain = ["root.pem", `${kind}.pem`].map((file) => readFileSync(join(directory, file), "utf8"));
    writeFileSync(join(directory, `${kind}-chain.pem`), chain.toReversed().join(""));
  }
  const refused = await selvedge("ca load --chain leaf-chain.pem --key inter.key");
  expect([refused.code, refused.err]).toEqual([
    1,
    expect.stringContaining("is no authority: CA:TRUE is missing"),
  ]);
  const loaded = await selvedge("ca load --chain ca-chain.pem --key inter.key");
  expect([loaded.code, loaded.out]).toEqual([
    0,
    expect.stringMatching(/^root +next .* loaded, takes over at /m),
  ]);
});

test("a machine joins by a token that is good once, and renews with what it got", async () => {
  const { url, selvedge, directory } = await start();
  const token = (await selvedge("token join create --workload shop/web-*")).out.trim();
  openssl(directory, "ecparam -name prime256v1 -genkey -noout -out web.key");
  openssl(directory, "req -new -key web.key -subj / -out web.csr");
  const csr = readFileSync(join(directory, "web.csr"), "utf8");
  const post = (body: object) =>
    fetch(`${url}/api/v1/join`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
  const got = joined.parse(await (await post({ joinToken: token, workload: "shop/web-1", csr })).json());
  const [again, other] = [
    await post({ joinToken: token, workload: "shop/web-2", csr }),
    await post({ joinToken: "x", csr }),
  ];
  expect([again.status, other.status]).toEqual([401, 401]);

  const key = createPrivateKey(readFileSync(join(directory, "web.key")));
  const leaf = new X509Certificate(got.certificate?.certificate ?? "");
  const rqh = createHash("sha256").update(`${csr}\n`).digest("base64url");
  const domain = /spiffe:\/\/[^/]+/.exec(leaf.subjectAltName ?? "")?.[0] ?? "";
  const assertion = await new SignJWT({ rqh })
    .setProtectedHeader({ alg: "ES256", x5c: [leaf.raw.toString("base64")] })
    .setAudience(domain)
    .setIssuedAt()
    .setExpirationTime("30s")
    .sign(key);
  const renewed = joined.parse(await (await post({ assertion, csr })).json());
  expect(renewed.certificate?.subject).toBe(`${domain}/ns/shop/sa/web-1`);
  expect((await selvedge("token join list")).out).toMatch(
    / shop\/web-\* +admin +\d+[smh] +shop\/web-1 \d+s ago$/m,
  );
});
