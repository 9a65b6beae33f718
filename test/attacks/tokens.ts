/** Tokens that are not true, though many of them are signed with the right key. */
import { createHmac } from "node:crypto";
import { type Arms, type Attack, bearer, get, request, USERS, VAULT } from "./attack.ts";

const FRIEND = "spiffe://selvedge.local/ns/fort/sa/friend";
const MESH = "spiffe://selvedge.local";
const KEEP = "spiffe://selvedge.local/ns/fort/sa/keep";
const NOW = Math.floor(Date.now() / 1000);

const REFUSED = [
  "401 authn.token.invalid",
  "401 authn.token.expired",
  // A token that does not claim to be of the mesh is somebody else's: nobody has proved anything.
  "401 authn.missing",
];
const REFUSED_USER = [...REFUSED, "403 authz.default_deny", "403 authn.token.audience"];

type Json = Readonly<Record<string, unknown>>;
type Change = readonly [name: string, header: Json, claims: Json];

const headers = (name: string, values: readonly unknown[]): Change[] =>
  values.map((value) => [`${name} ${told(value)}`, { [name]: value }, {}]);
const claims = (name: string, values: readonly unknown[]): Change[] =>
  values.map((value) => [`${name} ${told(value)}`, {}, { [name]: value }]);

function told(value: unknown): string {
  return (JSON.stringify(value) ?? "none").slice(0, 50);
}

/** `undefined` leaves a field out. */
const HEADERS: readonly Change[] = [
  ...headers("alg", [
    "none",
    "None",
    "NONE",
    "nOnE",
    "",
    "HS256",
    "RS256",
    "PS256",
    "ES384",
    "ES512",
    "EdDSA",
    "es256",
    null,
    undefined,
    ["ES256"],
  ]),
  ...headers("kid", [
    undefined,
    "",
    "unknown",
    "../../dev/null",
    "/dev/null",
    "' OR 1=1 --",
    "a\u0000b",
    1,
    null,
    ["a"],
    "x".repeat(100),
  ]),
  ...headers("jku", ["https://evil.test/keys", ""]),
  ...headers("x5u", ["https://evil.test/chain"]),
  ...headers("jwk", [{ kty: "EC" }]),
  ...headers("x5c", [["MIIB"]]),
  ...headers("crit", [["x"], [], ["exp"]]),
  ...headers("b64", [false]),
  ...headers("zip", ["DEF"]),
  ...headers("enc", ["A256GCM"]),
];

const TIMES: readonly Change[] = [
  ...claims("exp", [null, NOW - 60, NOW - 86_400, 0, -1, `${NOW + 300}`, [NOW + 300], true]),
  ...claims("nbf", [NOW + 300, "soon"]),
];

const MESH_CLAIMS: readonly Change[] = [
  ...TIMES,
  ...claims("exp", [undefined, 1e300, NOW + 30 * 86_400, NOW + 4_000]),
  ...claims("iat", [undefined, null, NOW + 3_600, `${NOW}`, -1]),
  ...claims("jti", [undefined, null, "", 1, ["a"], "x".repeat(1_000)]),
  ...claims("iss", ["evil.test", "spiffe://evil.test", ""]),
  ...claims("sub", [
    undefined,
    null,
    "",
    [FRIEND],
    "friend",
    "spiffe://evil.test/ns/fort/sa/friend",
    "spiffe://selvedge.local.evil.test/ns/fort/sa/friend",
    "SPIFFE://selvedge.local/ns/fort/sa/friend",
    "spiffe://SELVEDGE.local/ns/fort/sa/friend",
    "spiffe://selvedge.local:80/ns/fort/sa/friend",
    "spiffe://x@selvedge.local/ns/fort/sa/friend",
    "spiffe://selvedge.local/ns/fort/sa/friend/",
    "spiffe://selvedge.local//ns/fort/sa/friend",
    "spiffe://selvedge.local/ns/fort/sa/./friend",
    "spiffe://selvedge.local/ns/mine/../fort/sa/friend",
    "spiffe://selvedge.local/ns/fort/sa/fr%69end",
    "spiffe://selvedge.local/ns/fort/sa/friend?x",
    "spiffe://selvedge.local/ns/fort/sa/friend#x",
    "spiffe://selvedge.local/ns/fort/sa/friend\u0000",
    "spiffe://selvedge.local/ns/fort/sa/friend\n",
    "spiffe://selvedge.local/ns/fort/sa/",
    "spiffe://selvedge.local/ns//sa/friend",
    "spiffe://selvedge.local/ns/fort/sa/..",
    "spiffe://selvedge.local/fort/friend",
    "spiffe://selvedge.local",
  ]),
];

function audiencesAt(right: string): readonly Change[] {
  const wrong = right === MESH ? KEEP : MESH;
  return claims("aud", [
    undefined,
    null,
    "",
    wrong,
    [right],
    [right, wrong],
    [],
    `${right}/`,
    `${right} `,
    right.toUpperCase(),
    "*",
    1,
  ]);
}

const USER_CLAIMS: readonly Change[] = [
  ...TIMES,
  ...claims("exp", [1]),
  ...claims("aud", [undefined, null, "other", "", ["other"], "user", "users ", "USERS", 1]),
  ...claims("iss", [
    undefined,
    null,
    "",
    "https://evil.example",
    "https://issuer.example/",
    "HTTPS://issuer.example",
    ["https://issuer.example"],
  ]),
  ...claims("sub", [undefined, null, "", "Root", "root ", "roo", "root\u0000", ["root"], 0]),
];

export async function tokenAttacks(arms: Arms): Promise<Attack[]> {
  const { signAsMesh, signAsIssuer, meshKey, issuerKey } = arms;
  const meshHeader = { alg: "ES256", kid: meshKey.kid, typ: "JWT" };
  const userHeader = { alg: "ES256", kid: issuerKey.kid, typ: "JWT" };
  const user = { iss: "https://issuer.example", sub: "root", aud: "users", exp: NOW + 300, iat: NOW };
  const ofMesh = (aud: string) => ({ sub: FRIEND, aud, jti: "attack", iat: NOW, exp: NOW + 300 });
  const edge = { sign: signAsMesh, header: meshHeader, claims: ofMesh(MESH), attack: atEdge };
  const library = { sign: signAsMesh, header: meshHeader, claims: ofMesh(KEEP), attack: atLibrary };
  const users = { sign: signAsIssuer, header: userHeader, claims: user, attack: atUsers };
  return [
    ...(await signed(
      [...HEADERS, ...headers("typ", ["JWE", "at+jwt", 1]), ...MESH_CLAIMS, ...audiencesAt(MESH)],
      edge,
    )),
    ...(await signed(
      [...HEADERS, ...headers("typ", ["JWE", "at+jwt", 1]), ...MESH_CLAIMS, ...audiencesAt(KEEP)],
      library,
    )),
    ...(await signed([...HEADERS.filter(([name]) => !isHarmless(name)), ...USER_CLAIMS], users)),
    ...(await Promise.all([edge, library, users].map(altered))).flat(),
    ...misplaced(arms),
    ...replayed(arms),
  ];
}

function signed(changes: readonly Change[], place: Place): Promise<Attack[]> {
  return Promise.all(
    changes.map(async ([name, header, claims]) =>
      place.attack(name, await place.sign({ ...place.header, ...header }, { ...place.claims, ...claims })),
    ),
  );
}

/** An issuer of end users may name its only key or not, and say more in a header that nobody reads. */
function isHarmless(name: string): boolean {
  return /^(?:kid|jku|x5u|jwk|x5c|zip|enc|b64|crit \[\])/.test(name);
}

interface Place {
  readonly sign: Arms["signAsMesh"];
  readonly header: Json;
  readonly claims: Json;
  readonly attack: (name: string, token: string) => Attack;
}

/** A true token with something about its text changed. */
async function altered({ sign, header, claims, attack }: Place): Promise<Attack[]> {
  const token = await sign(header, claims);
  const [head = "", payload = "", signature = ""] = token.split(".");
  const bytes = Buffer.from(signature, "base64url");
  const none = Buffer.from(JSON.stringify({ ...header, alg: "none" })).toString("base64url");
  const other = Buffer.from(JSON.stringify({ ...claims, jti: "other" })).toString("base64url");
  const texts: Readonly<Record<string, string>> = {
    "no signature": `${head}.${payload}.`,
    "two segments": `${head}.${payload}`,
    "four segments": `${token}.x`,
    "five segments": `${token}.x.y`,
    "alg none without signature": `${none}.${payload}.`,
    "alg none with the signature": `${none}.${payload}.${signature}`,
    "other claims under the signature": `${head}.${other}.${signature}`,
    "a signature of zeros": `${head}.${payload}.${Buffer.alloc(64).toString("base64url")}`,
    "a signature of 0xff": `${head}.${payload}.${Buffer.alloc(64, 255).toString("base64url")}`,
    "half a signature": `${head}.${payload}.${bytes.subarray(0, 32).toString("base64url")}`,
    "a signature and more": `${head}.${payload}.${Buffer.concat([bytes, bytes]).toString("base64url")}`,
    "a flipped bit": `${head}.${payload}.${Buffer.from(bytes.map((byte, at) => (at === 5 ? byte ^ 1 : byte))).toString("base64url")}`,
    "a claim that is cut": `${head}.${payload.slice(0, -4)}.${signature}`,
    "a payload of null": `${head}.${Buffer.from("null").toString("base64url")}.${signature}`,
    "a payload of a list": `${head}.${Buffer.from("[]").toString("base64url")}.${signature}`,
    "a payload of nothing": `${head}..${signature}`,
    "only dots": "..",
    "no token": "x",
    "ten kilobytes": `${head}.${payload}${"A".repeat(10_000)}.${signature}`,
    "an escape": `${head}%2e${payload}%2e${signature}`,
    ...hmacs(payload, header),
  };
  return Object.entries(texts).map(([name, text]) => attack(name, text));
}

/** The public key as the secret of an HMAC. */
function hmacs(payload: string, header: Json): Record<string, string> {
  const head = Buffer.from(JSON.stringify({ ...header, alg: "HS256" })).toString("base64url");
  const secrets = {
    "an empty secret": "",
    "the kid as the secret": String(header["kid"]),
    "a known secret": "secret",
  };
  return Object.fromEntries(
    Object.entries(secrets).map(([name, secret]) => {
      const mac = createHmac("sha256", secret).update(`${head}.${payload}`).digest("base64url");
      return [`HMAC with ${name}`, `${head}.${payload}.${mac}`];
    }),
  );
}

/** True tokens where nobody should look for them, or of somebody else. */
function misplaced(arms: Arms): Attack[] {
  const { friend, friendOfKeep, stranger, strangerOfKeep, former, formerOfKeep, admin, editor } = arms;
  const missing = ["401 authn.missing"];
  return [
    vault("in the query", `/?access_token=${friend}&token=${friend}`, [], missing),
    vault("in a cookie", "/", [`Cookie: token=${friend}`], missing),
    vault("for a callee", "/", [bearer(friendOfKeep)], REFUSED),
    vault("for a callee as peer", "/", [`X-Selvedge-Peer: ${friendOfKeep}`], REFUSED),
    vault("of the admin API", "/", [bearer(admin)], missing),
    vault("of an editor", "/", [bearer(editor)], missing),
    vault("of a stranger", "/", [bearer(stranger)], ["403 authz.default_deny"]),
    vault("of two", "/", [bearer(friend), `X-Selvedge-Peer: ${stranger}`], REFUSED),
    vault("of two, turned", "/", [bearer(stranger), `X-Selvedge-Peer: ${friend}`], REFUSED),
    vault("revoked", "/", [bearer(former)], ["401 authn.revoked"]),
    vault("revoked as peer", "/", [`X-Selvedge-Peer: ${former}`], ["401 authn.revoked"]),
    keep("without", [], missing),
    keep("for the mesh", [`X-Selvedge-Peer: ${friend}`], REFUSED),
    keep("for the mesh as bearer", [bearer(friend)], REFUSED),
    keep("of a stranger", [`X-Selvedge-Peer: ${strangerOfKeep}`], ["403 authz.default_deny"]),
    keep("of two", [`X-Selvedge-Peer: ${friendOfKeep}`, bearer(strangerOfKeep)], REFUSED),
    keep("revoked", [`X-Selvedge-Peer: ${formerOfKeep}`], ["401 authn.revoked"]),
    keep("revoked as bearer", [bearer(formerOfKeep)], ["401 authn.revoked"]),
    keep(
      "by a client certificate's field",
      ["X-Forwarded-Client-Cert: URI=spiffe://selvedge.local/ns/fort/sa/friend"],
      missing,
    ),
    keep(
      "by a field of the mesh's own",
      ["X-Selvedge-Admitted: true", "X-Selvedge-Endpoint: fort/keep:80/fort/keep"],
      missing,
    ),
  ];
}

/** True tokens that were used before, where one lets one call through. */
function replayed({ spent, spentOfKeep }: Arms): Attack[] {
  const expected = ["401 authn.token.replayed"];
  const ways: Readonly<Record<string, (token: string) => readonly string[]>> = {
    "": (token) => [bearer(token)],
    " as peer": (token) => [`X-Selvedge-Peer: ${token}`],
    " in both fields": (token) => [bearer(token), `X-Selvedge-Peer: ${token}`],
    " in another case": (token) => [`authorization: bearer ${token}`],
    " in another spelling": (token) => [bearer(respelled(token))],
    " told of as a retry": (token) => [bearer(token), "X-Selvedge-Retry: owned"],
    " told of as a copy": (token) => [bearer(token), "X-Selvedge-Mirrored: 1"],
    " with a method to take": (token) => [bearer(token), "X-HTTP-Method-Override: PUT"],
    " with a path to take": (token) => [bearer(token), "X-Original-URL: /", "X-Rewrite-URL: /"],
  };
  const targets = ["/once", "/once?a=b", "//once", "/%6fnce", "/once/x"];
  return [
    ...Object.entries(ways).flatMap(([way, lines]) =>
      targets.flatMap((target) => [
        attack(
          `spent${way} at ${target}`,
          "edge",
          get(target, [`Host: ${VAULT}`, ...lines(spent)]),
          expected,
        ),
        attack(
          `spent of keep${way} at ${target}`,
          "library",
          get(target, ["Host: keep", ...lines(spentOfKeep)]),
          expected,
        ),
      ]),
    ),
    ...["HEAD", "POST", "DELETE"].map((method) =>
      attack(`spent by ${method}`, "edge", request(method, "/once", [`Host: ${VAULT}`, bearer(spent)]), [
        "401 authn.token.replayed",
        // An answer to HEAD has no body that could tell the code.
        "401",
      ]),
    ),
  ];
}

/** The same signature: bits of its last character that nobody reads are others. */
function respelled(token: string): string {
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return token.slice(0, -1) + digits.charAt(digits.indexOf(token.slice(-1)) ^ 1);
}

function vault(name: string, target: string, lines: readonly string[], expected: readonly string[]): Attack {
  return attack(`misplaced ${name}`, "edge", get(target, [`Host: ${VAULT}`, ...lines]), expected);
}

function keep(name: string, lines: readonly string[], expected: readonly string[]): Attack {
  return attack(`at the library ${name}`, "library", get("/open", ["Host: keep", ...lines]), expected);
}

const atEdge = (name: string, token: string): Attack =>
  attack(`edge ${name}`, "edge", get("/", [`Host: ${VAULT}`, bearer(token)]), REFUSED);
const atLibrary = (name: string, token: string): Attack =>
  attack(`library ${name}`, "library", get("/open", ["Host: keep", `X-Selvedge-Peer: ${token}`]), REFUSED);
const atUsers = (name: string, token: string): Attack =>
  attack(`user ${name}`, "edge", get("/", [`Host: ${USERS}`, `X-User-Token: ${token}`]), REFUSED_USER);

function attack(name: string, at: "edge" | "library", how: string, expected: readonly string[]): Attack {
  return { id: `token ${name}`, class: "tokens", at, how, expected };
}
