/** Documents that are bombs, or reach where no document should. */
import { ADMIN, type Arms, type Attack, bearer, request, send } from "./attack.ts";

const INVALID = ["422 config.invalid"];
const MALFORMED = ["400 request.malformed"];

const service = (name: string, more: object = {}) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name },
  spec: { ports: [{ port: 80 }] },
  ...more,
});

function nested(depth: number): string {
  return `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
}

const NAMES = [
  "",
  ".",
  "..",
  "../a",
  "a/b",
  "a:b",
  "A",
  "a_b",
  "\u0430",
  "a\u200b",
  "a ",
  " a",
  "a\n",
  "a\u0000",
  "-a",
  "a-",
  "__proto__",
  "x".repeat(64),
  "x".repeat(300),
  "a%2fb",
  "<img src=x onerror=alert(1)>",
  "${jndi:ldap://a}",
  "$(id)",
  "a;b",
  "a'b",
];

/** Regular expressions that blow up elsewhere, or are none. */
const PATTERNS = [
  "(",
  "[",
  "a{1001}",
  "(a{1000}){1000}",
  "(?=a)",
  "(a)\\1",
  "\\",
  "*",
  "x".repeat(2_000),
  "(?<!a)b",
];

const DOCUMENTS: Readonly<Record<string, unknown>> = {
  "no document": 1,
  "a list": [],
  "a document of null": null,
  text: "kind: Service",
  "no kind": { apiVersion: "v1", metadata: { name: "a" } },
  "an unknown kind": service("a", { kind: "Secrets" }),
  "a kind of the prototype": service("a", { kind: "toString" }),
  "a kind __proto__": service("a", { kind: "__proto__" }),
  "a foreign version": service("a", { apiVersion: "v2" }),
  "an unknown field": service("a", { selector: {} }),
  "an unknown field of the spec": service("a", { spec: { ports: [{ port: 80 }], externalName: "x" } }),
  "an external name": service("a", {
    spec: { type: "ExternalName", externalName: "metadata.google.internal" },
  }),
  "too many ports": service("a", {
    spec: { ports: Array.from({ length: 2_000 }, (_, at) => ({ name: `p${at}`, port: at + 1 })) },
  }),
  "a port of 0": service("a", { spec: { ports: [{ port: 0 }] } }),
  "a port of 65536": service("a", { spec: { ports: [{ port: 65_536 }] } }),
  "a port of 1e100": service("a", { spec: { ports: [{ port: 1e100 }] } }),
  "huge labels": service("a", { metadata: { name: "a", labels: { a: "x".repeat(100_000) } } }),
  "a huge document": service("a", { metadata: { name: "a", annotations: { a: "x".repeat(300_000) } } }),
  "a list within a list": { kind: "List", apiVersion: "v1", items: [{ kind: "List", items: [] }] },
  "a service account that is a path": {
    apiVersion: "selvedge.dev/v1",
    kind: "Endpoint",
    metadata: { name: "a" },
    spec: { address: "https://a.example", serviceAccount: "../../fort/sa/friend" },
  },
  "a service of another namespace": {
    apiVersion: "selvedge.dev/v1",
    kind: "Endpoint",
    metadata: { name: "a" },
    spec: { address: "https://a.example", services: ["fort/vault"] },
  },
  "a field that breaks lines": route({ filters: [header("X-A", "a\r\nX-B: b")] }),
  "a field with NUL": route({ filters: [header("X-A", "a\u0000")] }),
  "a field that is no name": route({ filters: [header("X A", "a")] }),
  "a field of the mesh's own": route({ filters: [header("X-Selvedge-Peer", "a")] }),
  "the field of client certificates": route({ filters: [header("X-Forwarded-Client-Cert", "a")] }),
  "a host that is a path": route({ filters: [rewrite("a/b")] }),
  "a host with user information": route({ filters: [rewrite("a@b")] }),
  "a policy of an unknown attribute": policy({ when: [{ key: "source.prt", values: ["a"] }] }),
  "a policy of an empty list": policy({ from: [] }),
  "a policy of a regular expression": policy({ to: [{ operation: { paths: ["/a*b*c"] } }] }),
  "a policy of a bad block": policy({ from: [{ source: { ipBlocks: ["10.0.0.0/99"] } }] }),
};

/** Keys that reach prototypes, at each level. As text: JSON.stringify would leave one of them out. */
const POLLUTED = ["__proto__", "constructor", "prototype"].flatMap((key) => [
  `{"apiVersion":"v1","kind":"Service","metadata":{"name":"a","labels":{"${key}":"x"}},"spec":{"ports":[{"port":80}]}}`,
  `{"apiVersion":"v1","kind":"Service","metadata":{"name":"a","${key}":{"admin":true}},"spec":{"ports":[{"port":80}]}}`,
  `{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{"ports":[{"port":80,"${key}":{}}]}}`,
  `{"apiVersion":"v1","kind":"Service","${key}":{"admin":true},"metadata":{"name":"a"},"spec":{"ports":[{"port":80}]}}`,
]);

export function configurationAttacks({ admin }: Arms): Attack[] {
  const lines = [`Host: ${ADMIN}`, bearer(admin)];
  const apply = (name: string, body: string, expected: readonly string[]): Attack =>
    attack(name, send("POST", "/api/v1/apply", lines, body), expected);
  const document = (name: string, document: unknown): Attack =>
    apply(name, JSON.stringify({ documents: [document], defaultNamespace: "mine" }), INVALID);
  return [
    ...NAMES.map((name) => document(`the name ${name.slice(0, 40)} (${name.length})`, service(name))),
    ...NAMES.filter((name) => name !== "").map((namespace) =>
      document(
        `the namespace ${namespace.slice(0, 40)} (${namespace.length})`,
        service("a", { metadata: { name: "a", namespace } }),
      ),
    ),
    ...PATTERNS.map((value) =>
      document(
        `the pattern ${value.slice(0, 30)}`,
        route({ matches: [{ path: { type: "RegularExpression", value } }] }),
      ),
    ),
    ...Object.entries(DOCUMENTS).map(([name, each]) => document(name, each)),
    ...POLLUTED.map((text, at) =>
      apply(`polluted ${at}`, `{"documents":[${text}],"defaultNamespace":"mine"}`, INVALID),
    ),
    apply(
      "twice the same",
      JSON.stringify({ documents: [service("a"), service("a")], defaultNamespace: "mine" }),
      INVALID,
    ),
    apply("too many documents", `{"documents":[${"1,".repeat(10_001)}1]}`, INVALID),
    apply("65 levels", `{"documents":[${nested(65)}]}`, MALFORMED),
    apply("40 levels", `{"documents":[${nested(40)}]}`, INVALID),
    apply("100,000 lists", "[".repeat(100_000), MALFORMED),
    apply("100,000 closed lists", `${"[".repeat(100_000)}${"]".repeat(100_000)}`, MALFORMED),
    apply("no JSON", "documents: []", MALFORMED),
    apply("half of JSON", '{"documents":[', MALFORMED),
    apply("two JSONs", "{}{}", MALFORMED),
    apply("a byte order mark", "\ufeff{}", [...MALFORMED, ...INVALID]),
    apply("nothing", "", [...MALFORMED, ...INVALID, "415 body.media_type"]),
    apply("null", "null", INVALID),
    apply("a list of nothing", "[]", INVALID),
    apply("__proto__ beside", '{"documents":[],"__proto__":{"dryRun":true}}', INVALID),
    apply("an unknown option", '{"documents":[],"overwrite":true}', INVALID),
    apply("a revision of the past", '{"documents":[],"ifRevision":0}', ["412 config.revision", "200"]),
    apply("a revision of the future", '{"documents":[],"ifRevision":999999}', ["412 config.revision"]),
    ...raw(lines),
  ];
}

/** Bodies that are told wrongly. */
function raw(lines: readonly string[]): Attack[] {
  const json = "Content-Type: application/json";
  const post = (name: string, more: readonly string[], body: string, expected: readonly string[]): Attack =>
    attack(name, `${request("POST", "/api/v1/apply", [...lines, ...more])}${body}`, expected);
  const types = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=a",
    "application/yaml",
    "application/json5",
    "text/json",
    "application/json, text/plain",
    "application/json; charset=utf-16",
    "*/*",
  ];
  return [
    ...types.map((type) =>
      post(`the type ${type}`, [`Content-Type: ${type}`, "Content-Length: 2"], "{}", ["415 body.media_type"]),
    ),
    post("no type", ["Content-Length: 2"], "{}", ["415 body.media_type"]),
    post("gzip", [json, "Content-Encoding: gzip", "Content-Length: 2"], "{}", [
      "415 body.media_type",
      ...MALFORMED,
    ]),
    post("no UTF-8", [json, "Content-Length: 4"], '"\u00ff"\n', MALFORMED),
    post("40 MB told", [json, "Content-Length: 40000000"], "{", ["413 body.too_large"]),
    post(
      "chunks that lie",
      [json, "Content-Length: 2", "Transfer-Encoding: chunked"],
      "2\r\n{}\r\n0\r\n\r\n",
      [...INVALID, "400"],
    ),
  ];
}

function attack(name: string, how: string, expected: readonly string[]): Attack {
  return { id: `configuration ${name}`, class: "configuration", at: "admin", how, expected };
}

function route(rule: object): object {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: "a" },
    spec: { parentRefs: [{ name: "a" }], rules: [rule] },
  };
}

function header(name: string, value: string): object {
  return { type: "RequestHeaderModifier", requestHeaderModifier: { set: [{ name, value }] } };
}

function rewrite(hostname: string): object {
  return { type: "URLRewrite", urlRewrite: { hostname } };
}

function policy(rule: object): object {
  return {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "a" },
    spec: { rules: [rule] },
  };
}
