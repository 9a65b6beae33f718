/**
 * A mesh with treasures behind it, as it would be deployed: strict, and
 * private addresses refused. What only the protected can answer is a marker,
 * made anew for each fortress.
 */
import { createHash, randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { startRuntime, type Runtime } from "../../cli/dev/runtime.ts";
import { generateSigningKey, type KeyPair, type PrivateJwk } from "../../shared/identity/key.ts";
import { makeAuthority, makeOddity, makeSvid } from "../identity/chains.ts";
import { signText } from "../identity/forge.ts";
import { makeRequest } from "../identity/requests.ts";
import { type Arms, bearer, type Certificates, DOOR, get, send, type Target, VAULT } from "./attack.ts";
import { fire, verdictOf } from "./fire.ts";
import { documentsOf } from "./grounds.ts";
import { isTreasure } from "./treasure.ts";

const ADMIN_TOKEN = "commander-of-the-fort";

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

export interface Fortress {
  readonly marker: string;
  readonly runtime: Runtime;
  /** Requests that a treasure answered, whoever sent them: its access log, to be emptied by whoever reads it. */
  readonly robbed: Seen[];
  /** Requests that the door's service got. */
  readonly passed: readonly Seen[];
  /** What the runtime printed. */
  readonly printed: readonly string[];
  readonly arms: Arms;
  port(at: Target): number;
  /** What the mesh admits answers; `false` when something broke. */
  stands(): Promise<boolean>;
  fall(): Promise<void>;
}

/** Builds it, once for a whole corpus. */
export async function build(): Promise<Fortress> {
  const marker = `treasure-${randomUUID()}`;
  const [robbed, passed]: [Seen[], Seen[]] = [[], []];
  const door = await serve(marker, (path) => isTreasure(path), robbed, passed);
  const vault = await serve(marker, () => true, robbed, passed);
  const stateDir = mkdtempSync(join(tmpdir(), "selvedge-fort-"));
  const printed: string[] = [];
  const runtime = await start(stateDir, { door, vault, marker, output: (line) => printed.push(line) });
  const issuer = await generateSigningKey();
  await admin(runtime, "POST", "/apply", { documents: documentsOf(issuer.publicJwk) });
  const friend = await tokenOf(runtime, "fort/friend");
  await inForce(runtime, friend);
  const arms = await forge(runtime, stateDir, { issuer, friend });
  // What the builders themselves did.
  for (const log of [robbed, passed]) log.length = 0;
  return {
    marker,
    runtime,
    robbed,
    passed,
    printed,
    arms,
    port: (at) => portOf(runtime, at),
    stands: async () => verdictOf(await fire(runtime.port, get("/open", [`Host: ${DOOR}`]))) === "200",
    fall: async () => {
      await runtime.stop();
      door.server.close();
      vault.server.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

function portOf(runtime: Runtime, at: Target): number {
  if (at === "library") return runtime.socket("keep").port;
  return at === "front" ? runtime.socket("front").port : runtime.port;
}

interface Place {
  readonly server: Server;
  readonly address: string;
}

async function serve(
  marker: string,
  isTreasury: (path: string) => boolean,
  robbed: Seen[],
  passed: Seen[],
): Promise<Place> {
  const server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    const isRobbed = isTreasury(url);
    (isRobbed ? robbed : passed).push({ method, url, headers });
    request.resume();
    // Not before the whole body is there: closing on a client that still writes would look like a refusal.
    request.on("end", () => {
      response.setHeader("connection", "close");
      response.end(isRobbed ? marker : "open");
    });
  });
  server.on("upgrade", (_request, socket) =>
    socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const at = server.address();
  if (at === null || typeof at === "string") throw new Error("the server has no port");
  return { server, address: `127.0.0.1:${at.port}` };
}

interface Surroundings {
  readonly door: Place;
  readonly vault: Place;
  readonly marker: string;
  readonly output: (line: string) => void;
}

function start(stateDir: string, { door, vault, marker, output }: Surroundings): Promise<Runtime> {
  return startRuntime({
    workers: [
      {
        configPath: fileURLToPath(new URL("../../wrangler.toml", import.meta.url)),
        main: fileURLToPath(new URL("keep/front.ts", import.meta.url)),
        vars: {
          SELVEDGE_TRUST_DOMAIN: "selvedge.local",
          SELVEDGE_MESH_DOMAIN: "mesh.localhost",
          SELVEDGE_ADMIN_HOSTS: "127.0.0.1",
          SELVEDGE_ADMIN_TOKEN_SHA256: createHash("sha256").update(ADMIN_TOKEN).digest("hex"),
          SELVEDGE_LOG_SAMPLE: "0",
        },
        services: {
          DOOR_WORKLOAD: { external: door.address },
          VAULT_WORKLOAD: { external: vault.address },
          KEEP: { service: "keep" },
          // The mesh itself: whoever calls it there goes round in circles.
          RING: { service: "selvedge" },
        },
      },
      {
        configPath: fileURLToPath(new URL("keep/wrangler.toml", import.meta.url)),
        vars: { MARKER: marker },
      },
    ],
    main: "selvedge",
    stateDir,
    sockets: { keep: { service: "keep" }, front: { service: "selvedge", entrypoint: "Front" } },
    output,
  });
}

async function admin(runtime: Runtime, method: string, path: string, body: unknown): Promise<unknown> {
  const lines = ["Host: 127.0.0.1", bearer(ADMIN_TOKEN)];
  const answer = await fire(runtime.port, send(method, `/api/v1${path}`, lines, JSON.stringify(body)));
  const [head = "", text = ""] = answer.split(/\r\n\r\n([^]*)/);
  if (!head.startsWith("HTTP/1.1 20")) throw new Error(`${path}: ${answer}`);
  return JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1));
}

async function tokenOf(runtime: Runtime, workload: string, audience?: string): Promise<string> {
  const body = audience === undefined ? { workload } : { workload, audience };
  return z.object({ token: z.string() }).parse(await admin(runtime, "POST", "/tokens", body)).token;
}

/** Resolves when every door knows its policies, for isolates learn of them on their own. */
async function inForce(runtime: Runtime, friend: string): Promise<void> {
  const giveUpAt = Date.now() + 15_000;
  while (Date.now() < giveUpAt) {
    const open = await fire(runtime.port, get("/open", [`Host: ${DOOR}`]));
    const known = await fire(runtime.port, get("/", [`Host: ${VAULT}`, bearer(friend)]));
    if (verdictOf(open) === "200" && verdictOf(known) === "200") return;
  }
  throw new Error("the fortress did not come into force");
}

async function forge(
  runtime: Runtime,
  stateDir: string,
  { issuer, friend }: { issuer: KeyPair; friend: string },
): Promise<Arms> {
  const mesh = stolenKey(stateDir);
  const keep = "spiffe://selvedge.local/ns/fort/sa/keep";
  const grant = async (name: string, role: string, namespace: string): Promise<string> => {
    const answer = await admin(runtime, "POST", "/access", { name, role, namespaces: [namespace] });
    return z.object({ token: z.string() }).parse(answer).token;
  };
  const former = await tokenOf(runtime, "fort/former");
  const formerOfKeep = await tokenOf(runtime, "fort/former", keep);
  const spent = await tokenOf(runtime, "fort/friend");
  await fire(runtime.port, get("/once", [`Host: ${VAULT}`, bearer(spent)]));
  const spentOfKeep = await tokenOf(runtime, "fort/friend", keep);
  await fire(runtime.socket("keep").port, get("/once", ["Host: keep", `X-Selvedge-Peer: ${spentOfKeep}`]));
  const certificates = await certificatesOf(runtime, stateDir);
  await admin(runtime, "POST", "/ca/revocations", {
    kind: "identity",
    value: "fort/former",
    reason: "left",
  });
  return {
    friend,
    former,
    formerOfKeep,
    spent,
    spentOfKeep,
    stranger: await tokenOf(runtime, "fort/stranger"),
    friendOfKeep: await tokenOf(runtime, "fort/friend", keep),
    strangerOfKeep: await tokenOf(runtime, "fort/stranger", keep),
    admin: ADMIN_TOKEN,
    editor: await grant("editor", "editor", "mine"),
    viewer: await grant("viewer", "viewer", "mine"),
    first: await grant("first", "editor", "aaa"),
    signAsMesh: (header, claims) => signText(JSON.stringify(header), JSON.stringify(claims), mesh),
    signAsIssuer: (header, claims) => signText(JSON.stringify(header), JSON.stringify(claims), issuer),
    meshKey: mesh.publicJwk,
    issuerKey: issuer.publicJwk,
    certificates,
  };
}

/** The authority's own key, from its database: what even a thief of it cannot sign is refused for what it says. */
function stolenKey(stateDir: string): KeyPair {
  const row = stolenRow(stateDir, "SELECT public_jwk, private_jwk FROM keys WHERE state = 'current'");
  const publicJwk: KeyPair["publicJwk"] = JSON.parse(String(row["public_jwk"]));
  const privateJwk: PrivateJwk = JSON.parse(String(row["private_jwk"]));
  return { kid: publicJwk.kid, publicJwk, privateJwk };
}

function stolenRow(stateDir: string, query: string): Readonly<Record<string, unknown>> {
  const directory = join(stateDir, "objects", "selvedge-AuthorityObject");
  for (const file of readdirSync(directory).filter((name) => name.endsWith(".sqlite"))) {
    const database = new DatabaseSync(join(directory, file), { readOnly: true });
    try {
      const row = database.prepare(query).get();
      if (row !== undefined) return row;
    } catch {
      // Not the authority's own: the runtime keeps one for itself beside it.
    } finally {
      database.close();
    }
  }
  throw new Error(`the authority has nothing: ${query}`);
}

/** Certificates of workloads, issued by the mesh; a foreign one; and the intermediate's key, stolen. */
async function certificatesOf(runtime: Runtime, stateDir: string): Promise<Certificates> {
  const issue = async (workload: string) => {
    const { csr } = await makeRequest();
    const issued = await admin(runtime, "POST", "/ca/certificates", { workload, csr });
    return z.object({ certificate: z.string(), chain: z.string() }).parse(issued);
  };
  const friend = await issue("fort/friend");
  const foreign = await makeAuthority("selvedge.local", Date.now());
  const { certificate: root } = stolenRow(stateDir, "SELECT certificate FROM roots WHERE state = 'current'");
  const stolen = stolenRow(stateDir, "SELECT chain, private_jwk FROM intermediates WHERE state = 'current'");
  const chain: readonly string[] = JSON.parse(String(stolen["chain"]));
  const privateJwk: PrivateJwk = JSON.parse(String(stolen["private_jwk"]));
  return {
    ofFriend: derOf(friend.certificate),
    ofFriendToo: derOf((await issue("fort/friend")).certificate),
    ofStranger: derOf((await issue("fort/stranger")).certificate),
    ofFormer: derOf((await issue("fort/former")).certificate),
    chain,
    root: String(root),
    ofForeigner: {
      leaf: await makeSvid("spiffe://selvedge.local/ns/fort/sa/friend", foreign.intermediate, Date.now()),
      chain: [foreign.intermediate.certificate],
      root: foreign.root,
    },
    sign: (oddity) => makeOddity(oddity, { certificate: chain[0] ?? "", privateJwk }, Date.now()),
  };
}

function derOf(pem: string): string {
  return pem.replace(/-----[^-]+-----|\s/g, "");
}
