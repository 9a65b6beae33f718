import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { clientCertificate } from "../../cli/dev/client-certificate.ts";
import { issuedToken } from "../../shared/wire/admin.ts";
import { applyDocuments, clientOf, startMesh } from "./bookinfo.ts";
import { ask } from "./http-client.ts";
import { stateDir } from "./state-dir.ts";

/** An authority, and leaves of it for the server (127.0.0.1) and for the mesh, as files of one directory. */
function makeCertificates(): (name: string) => string {
  const directory = stateDir();
  const openssl = (args: string) =>
    execFileSync("openssl", args.split(" "), { cwd: directory, stdio: "pipe", timeout: 20_000 });
  const key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
  openssl(`req -x509 ${key} -keyout ca.key -out ca.pem -subj /CN=ca`);
  for (const [name, alternative] of [
    ["server", "IP:127.0.0.1"],
    ["mesh", "URI:spiffe://mesh.test/ns/selvedge-system/sa/edge"],
  ]) {
    const leaf = `-CA ca.pem -CAkey ca.key -addext basicConstraints=critical,CA:FALSE -subj /CN=${name}`;
    openssl(
      `req -x509 ${key} -keyout ${name}.key -out ${name}.pem ${leaf} -addext subjectAltName=${alternative}`,
    );
  }
  return (name) => join(directory, name);
}

/** A server that talks to nobody without a certificate of the authority, and answers with who called. */
async function startServer(path: (name: string) => string): Promise<number> {
  const options = {
    key: readFileSync(path("server.key")),
    cert: readFileSync(path("server.pem")),
    ca: readFileSync(path("ca.pem")),
    requestCert: true,
    rejectUnauthorized: true,
  };
  const server = createServer(options, (request, response) => {
    const { subject, subjectaltname } = (request.socket as TLSSocket).getPeerCertificate();
    response.end(`${subject.CN} ${subjectaltname}`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

function documents(port: number): unknown[] {
  const endpoint = (name: string, extra: object) => [
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
      spec: { address: `https://127.0.0.1:${port}`, ...extra },
    },
  ];
  return [
    ...endpoint("orders", { clientCertificate: "ORDERS_CERTIFICATE" }),
    ...endpoint("without", {}),
    ...endpoint("unbound", { clientCertificate: "NOBODY" }),
  ];
}

test("the edge shows an origin its certificate, and sends nothing without", async () => {
  const path = makeCertificates();
  const port = await startServer(path);
  const files = ["mesh.pem", "mesh.key", "ca.pem"].map(path).join(",");
  const mesh = await startMesh({ services: clientCertificate(`ORDERS_CERTIFICATE=${files}`, {}) });
  const client = clientOf(mesh);
  await applyDocuments(client, documents(port));
  const body = { workload: "bookinfo/caller" };
  const { token } = await client.call({ method: "POST", path: "/tokens", body, answer: issuedToken });

  const call = (service: string) =>
    ask({
      port: mesh.port,
      host: `${service}.bookinfo.mesh.localhost`,
      path: "/",
      headers: { authorization: `Bearer ${token}` },
    });
  const answers = await Promise.all(["orders", "without", "unbound"].map(call));

  expect(answers.map(({ status, body: text }) => [status, status === 200 ? text : ""])).toEqual([
    [200, "mesh URI:spiffe://mesh.test/ns/selvedge-system/sa/edge"],
    [503, ""],
    [503, ""],
  ]);
});
