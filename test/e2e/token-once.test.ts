/** Tokens that count once, over sockets: at the edge, and at a Worker that protects itself. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { issuedToken } from "../../shared/wire/admin.ts";
import { applyDocuments, clientOf, startMesh } from "./bookinfo.ts";
import { type Answer, ask, inTurns, until } from "./http-client.ts";

const DOMAIN = "bookinfo.mesh.localhost";

const config = (name: string): { configPath: string } => ({
  configPath: fileURLToPath(new URL(`fixtures/${name}/wrangler.toml`, import.meta.url)),
});

function named(type: string, name: string, spec: unknown): unknown {
  const [apiVersion, kind] = type.split(" ");
  return { apiVersion, kind, metadata: { name, labels: { app: name } }, spec };
}

const joined = (name: string): unknown[] => [
  named("v1 Service", name, { selector: { app: name }, ports: [{ port: 80 }] }),
  named("selvedge.dev/v1 Endpoint", name, {
    address: `binding:${name.toUpperCase()}`,
    joined: true,
    serviceAccount: name,
  }),
];

/** `payer` calls `till` by its own binding; the till takes a token once for POST /pay. */
async function startTill() {
  const runtime = await startMesh({
    workers: [config("payer"), config("till")],
    services: { PAYER: { service: "payer" }, TILL: { service: "till" } },
    sockets: { payer: { service: "payer" }, till: { service: "till" } },
  });
  const client = clientOf(runtime);
  await applyDocuments(client, [
    ...joined("payer"),
    ...joined("till"),
    named("selvedge.dev/v1 PeerAuthentication", "till", {
      selector: { matchLabels: { app: "till" } },
      tokens: { once: [{ methods: ["POST"], paths: ["/pay"] }] },
    }),
  ]);
  const token = async (): Promise<string> => {
    const body = { workload: "bookinfo/client" };
    return (await client.call({ method: "POST", path: "/tokens", body, answer: issuedToken })).token;
  };
  const call = (service: string, path: string, bearer: string, method = "POST"): Promise<Answer> =>
    ask({
      port: runtime.port,
      host: `${service}.${DOMAIN}`,
      path,
      method,
      headers: { authorization: `Bearer ${bearer}` },
    });
  /** Shows a token that was sent to the till at the till's own address. */
  const showAtTill = (peer: string, path: string): Promise<Answer> =>
    ask({
      port: runtime.socket("till").port,
      host: "till",
      path,
      method: "POST",
      headers: { "x-selvedge-peer": peer },
    });
  await until(
    async () => call("payer", "/", await token()),
    ({ status }) => status === 200,
  );
  return { runtime, token, call, showAtTill };
}

const codeOf = ({ status, body }: Answer): string =>
  status === 200 ? "200" : `${status} ${JSON.parse(body).code}`;
/** Who calls by a token, and whether the edge has let it in. */
function claimsOf(token: string): string {
  const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
  return claims["selvedge.dev/admitted"] === true ? `the edge for ${claims.sub}` : claims.sub;
}

const REPLAYED = "401 authn.token.replayed";

test("the same bearer token twice, with curl", async () => {
  const { runtime, token } = await startTill();
  const bearer = await token();
  const curl = (path: string): string =>
    execFileSync(
      "curl",
      `-s -m 5 -o /dev/null -w %{http_code} -X POST -H Host:till.${DOMAIN} ${runtime.url}${path}`
        .split(" ")
        .concat("-H", `Authorization: Bearer ${bearer}`),
    ).toString();

  expect([curl("/"), curl("/pay"), curl("/pay"), curl("/pay"), curl("/")]).toEqual([
    "200",
    "200",
    "401",
    "401",
    "200",
  ]);
});

test("of many calls at once with one token, one gets through", async () => {
  const { token, call } = await startTill();
  const tokens = await inTurns(5, 5, token);

  const codes = await inTurns(100, 50, async (n) => codeOf(await call("till", "/pay", tokens[n % 5] ?? "")));

  expect(codes.filter((code) => code === "200").length).toBe(5);
  expect(new Set(codes)).toEqual(new Set(["200", REPLAYED]));
});

test("a Worker that calls another past the edge shows a token for each call, and none of them counts again", async () => {
  const { token, call, showAtTill } = await startTill();

  const answers = await inTurns(40, 8, async () => call("payer", "/pay", await token()));
  const peers = answers.map(({ body }) => body);
  const others = await inTurns(10, 4, async () => call("payer", "/", await token()));

  expect([new Set(answers.map(codeOf)), new Set(peers).size]).toEqual([new Set(["200"]), 40]);
  expect(new Set(peers.map(claimsOf))).toEqual(new Set(["spiffe://selvedge.local/ns/bookinfo/sa/payer"]));
  expect(new Set(others.map(({ body }) => body)).size).toBe(1);
  const replays = await inTurns(peers.length, 8, async (n) =>
    codeOf(await showAtTill(peers[n] ?? "", "/pay")),
  );
  expect(new Set(replays)).toEqual(new Set([REPLAYED]));
  // Where uses are not counted it is a token like any other.
  expect(codeOf(await showAtTill(peers[0] ?? "", "/"))).toBe("200");
});

test("nor does the token by which the edge tells the Worker that it has admitted a call", async () => {
  const { token, call, showAtTill } = await startTill();

  const answers = await inTurns(20, 4, async () => call("till", "/pay", await token()));
  const codes = await inTurns(20, 4, async (n) => codeOf(await showAtTill(answers[n]?.body ?? "", "/pay")));

  expect([new Set(answers.map(codeOf)), new Set(codes)]).toEqual([new Set(["200"]), new Set([REPLAYED])]);
  expect(claimsOf(answers[0]?.body ?? "")).toBe("the edge for spiffe://selvedge.local/ns/bookinfo/sa/client");
});
