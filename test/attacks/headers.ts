/** Fields that say who calls, or make a host of the mesh forget it. */
import { type Arms, type Attack, bearer, DOOR, get, ROLES, VAULT } from "./attack.ts";

const FRIEND = "spiffe://selvedge.local/ns/fort/sa/friend";

/** Fields by which some mesh, proxy or platform tells who calls; whoever believes them opens. */
const CLAIMS: readonly string[] = [
  `X-Forwarded-Client-Cert: By=spiffe://selvedge.local/ns/fort/sa/vault;URI=${FRIEND}`,
  `X-Forwarded-Client-Cert: URI=${FRIEND}`,
  "Client-Cert: :Zm9yZ2Vk:",
  "Client-Cert-Chain: :Zm9yZ2Vk:",
  `X-Selvedge-Caller: ${FRIEND}`,
  `X-Selvedge-Identity: ${FRIEND}`,
  "X-Selvedge-Admitted: true",
  "X-Selvedge-Mirrored: 1",
  "X-Selvedge-Retry: owned",
  "X-Selvedge-Priority: high",
  "X-Selvedge-Endpoint: fort/vault:80/fort/vault",
  "X-Selvedge-Door: fort/door;port=80;scheme=http",
  `X-SPIFFE-ID: ${FRIEND}`,
  `L5d-Client-Id: ${FRIEND}`,
  `X-Mesh-Identity: ${FRIEND}`,
  `X-Envoy-Peer-Metadata-Id: ${FRIEND}`,
  "X-Envoy-Internal: true",
  "X-Forwarded-User: friend",
  "X-Real-IP: 127.0.0.1",
  "X-Forwarded-For: 127.0.0.1",
  "Forwarded: for=127.0.0.1",
  "CF-Connecting-IP: 127.0.0.1",
  "True-Client-IP: 127.0.0.1",
  "CF-Worker: selvedge",
  `CF-Access-Authenticated-User-Email: friend@fort`,
  "Cookie: token=friend; session=friend",
  `X-Goog-Authenticated-User-Id: friend`,
];

/** What a development server would take for the platform's word on the connection. */
const PLATFORM = JSON.stringify({
  tlsClientAuth: {
    certPresented: "1",
    certVerified: "SUCCESS",
    certRevoked: "0",
    certSubjectDN: "CN=friend",
  },
});

const FORGED_CF: readonly string[] = ["MF-CF-Blob", "CF-Blob", "X-CF-Blob", "CF-TLS-Client-Auth"].map(
  (name) => `${name}: ${PLATFORM}`,
);

/** Fields by which a development server would be told another URL. */
const FORGED_URL: readonly string[] = [
  "MF-Original-URL",
  "MF-Original-Hostname",
  "MF-Custom-Service",
  "MF-Custom-Fetch-Service",
  "MF-Route-Override",
  "MF-Op",
].map((name) => `${name}: http://${VAULT}/`);

/** Fields that a `Connection` may not have removed. */
const PROTECTED = [
  "x-selvedge-peer",
  "x-selvedge-hops",
  "x-selvedge-anything",
  "x-forwarded-client-cert",
  "x-forwarded-for",
  "x-forwarded-proto",
  "client-cert",
  "authorization",
  "host",
  "content-length",
  "content-type",
  "cookie",
  "cf-connecting-ip",
];

/** Spellings that CGI-like backends take for a field of ours. */
const ALIASES = [
  "X_Selvedge_Peer",
  "X_Selvedge-Peer",
  "X-Selvedge_Peer",
  "X_Forwarded_For",
  "X_Forwarded_Client_Cert",
  "Client_Cert",
  "Authorization_",
  "Content_Length",
  "CF_Connecting_IP",
];

const MISSING = ["401 authn.missing"];

export function headerAttacks({ friend, stranger, strangerOfKeep }: Arms): Attack[] {
  return [
    ...claims(stranger),
    ...claimsAtLibrary(strangerOfKeep),
    ...[...FORGED_CF, ...FORGED_URL].map((line) =>
      attack(`forged ${line.slice(0, 30)}`, VAULT, [line], MISSING),
    ),
    ...FORGED_URL.map((line) => attack(`at the door ${line.slice(0, 30)}`, DOOR, [line], ["200"])),
    ...PROTECTED.flatMap((name) =>
      [name, name.toUpperCase(), `close, ${name}`, `${name}, close`, `,,${name}`, `\t${name} `].map((value) =>
        attack(`Connection: ${value}`, DOOR, [`Connection: ${value}`], ["400 header.hopbyhop"]),
      ),
    ),
    ...ALIASES.filter((name) => !name.endsWith("_")).map((name) =>
      attack(`${name} as a field`, DOOR, [`${name}: ${friend}`], ["400 header.invalid"]),
    ),
    ...ROLE_LINES.map(([lines, expected]) =>
      attack(`roles ${lines.join(" | ")}`, ROLES, [bearer(friend), ...lines], expected),
    ),
    ...oddities(friend, stranger),
  ];
}

/** Each as an anonymous caller says it, and as one whom the policy does not name. */
function claims(stranger: string): Attack[] {
  return CLAIMS.flatMap((line) => [
    attack(`nobody says ${line.slice(0, 60)}`, VAULT, [line], MISSING),
    attack(
      `a stranger says ${line.slice(0, 60)}`,
      VAULT,
      [bearer(stranger), line],
      ["403 authz.default_deny"],
    ),
  ]);
}

const keep = (name: string, lines: readonly string[], expected: readonly string[]): Attack => ({
  ...attack(`at the library ${name}`, "keep", lines, expected),
  at: "library",
});

function claimsAtLibrary(stranger: string): Attack[] {
  return CLAIMS.flatMap((line) => [
    keep(`nobody says ${line.slice(0, 60)}`, [line], MISSING),
    keep(
      `a stranger says ${line.slice(0, 60)}`,
      [`X-Selvedge-Peer: ${stranger}`, line],
      ["403 authz.default_deny"],
    ),
  ]);
}

/** A policy denies `x-role: banned`; each value counts, wherever it stands. */
const ROLE_LINES: readonly (readonly [lines: readonly string[], expected: readonly string[]])[] = [
  [["X-Role: banned"], ["403 authz.rule"]],
  [["x-ROLE: banned"], ["403 authz.rule"]],
  [["X-Role:  banned "], ["403 authz.rule"]],
  [["X-Role: user", "X-Role: banned"], ["403 authz.rule"]],
  [["X-Role: banned", "X-Role: user"], ["403 authz.rule"]],
  [["X-Role: user, banned"], ["403 authz.rule"]],
  [["X-Role: banned,user"], ["403 authz.rule"]],
  [["X-Role: user,banned,user"], ["403 authz.rule"]],
  [["X-Role: ,banned"], ["403 authz.rule"]],
];

const STRANGE = ["403 authz.default_deny"];

function oddities(friend: string, stranger: string): Attack[] {
  const vault = (name: string, lines: readonly string[], expected: readonly string[]) =>
    attack(name, VAULT, lines, expected);
  return [
    vault("two bearers", [bearer(friend), bearer(friend)], ["400 header.invalid"]),
    vault(
      "two bearers in one",
      [`${bearer(friend)}, Bearer x`],
      ["400 header.invalid", "401 authn.token.invalid"],
    ),
    // Tokens all the same: they prove who calls, whatever it is.
    vault("a bearer in lower case", [`authorization: bearer ${stranger}`], STRANGE),
    vault("a bearer after two blanks", [`Authorization: Bearer  ${stranger}`], STRANGE),
    vault("a bearer after a tab", [`Authorization: Bearer\t${stranger}`], STRANGE),
    vault("another scheme", [`Authorization: Basic ${friend}`], MISSING),
    vault("no scheme", [`Authorization: ${friend}`], MISSING),
    vault("a bearer by the proxy's field", [`Proxy-Authorization: Bearer ${friend}`], MISSING),
    vault("a forged peer", ["X-Selvedge-Peer: forged"], ["401 authn.token.invalid"]),
    vault("an empty peer", ["X-Selvedge-Peer:"], ["401 authn.token.invalid", ...MISSING]),
    vault(
      "two peers",
      [`X-Selvedge-Peer: ${friend}`, `X-Selvedge-Peer: ${friend}`],
      ["401 authn.token.invalid"],
    ),
    attack("many names in Connection", DOOR, [`Connection: ${"a,".repeat(20)}b`], ["400 header.hopbyhop"]),
    attack("no token in Connection", DOOR, ["Connection: a b"], ["400 header.invalid"]),
    attack("huge fields", DOOR, [`X-Huge: ${"x".repeat(70_000)}`], ["431 header.too_large", "431"]),
    attack(
      "many fields",
      DOOR,
      Array.from({ length: 3_000 }, (_, n) => `X-Field-${n}: ${"x".repeat(20)}`),
      ["431 header.too_large", "431"],
    ),
    attack("two content types", DOOR, ["Content-Type: a/b", "Content-Type: c/d"], ["400 header.invalid"]),
    attack("a NUL in a field", DOOR, ["X-A: a\u0000b"], ["400"]),
    attack("a bare CR in a field", DOOR, ["X-A: a\rX-Selvedge-Peer: b"], ["400"]),
    attack("a nameless field", DOOR, [": a"], ["400"]),
    attack("a blank in a name", DOOR, ["X A: a"], ["400"]),
    attack("a folded field", DOOR, ["X-A: a", " X-B: b"], ["400"]),
  ];
}

function attack(name: string, host: string, lines: readonly string[], expected: readonly string[]): Attack {
  return {
    id: `header ${name}`,
    class: "headers",
    at: "edge",
    how: get("/", [`Host: ${host}`, ...lines]),
    expected,
  };
}
