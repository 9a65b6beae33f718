/** The admin API, by those who have no token, a small one, or another site's page. */
import { ADMIN, type Arms, type Attack, bearer, get, request, send } from "./attack.ts";

const UNAUTHORIZED = ["401 admin.unauthorized"];
const FORBIDDEN = ["403 admin.forbidden"];
const STATUS = "/api/v1/status";

/** Every operation that is not public, with what it could do to the fort. */
const OPERATIONS: readonly (readonly [method: string, path: string, body: unknown])[] = [
  ["POST", "/api/v1/apply", { documents: [] }],
  ["GET", "/api/v1/resources", null],
  ["GET", "/api/v1/resources/Service/fort/vault", null],
  ["DELETE", "/api/v1/resources/Service/fort/vault", null],
  [
    "POST",
    "/api/v1/delete",
    { refs: [{ apiVersion: "v1", kind: "Service", namespace: "fort", name: "vault" }] },
  ],
  ["GET", "/api/v1/revisions", null],
  ["GET", "/api/v1/diff?from=0", null],
  ["POST", "/api/v1/rollback", { revision: 0 }],
  ["GET", "/api/v1/services", null],
  ["GET", "/api/v1/services/fort/vault", null],
  ["PUT", "/api/v1/services/fort/vault/endpoints/mine", { address: "https://mine.example" }],
  ["POST", "/api/v1/services/fort/vault/endpoints/mine/heartbeat", null],
  ["POST", "/api/v1/services/fort/vault/endpoints/mine/drain", null],
  ["DELETE", "/api/v1/services/fort/vault/endpoints/mine", null],
  ["POST", "/api/v1/tokens", { workload: "fort/friend" }],
  ["GET", "/api/v1/ca", null],
  ["POST", "/api/v1/ca/certificates", { workload: "fort/friend", request: "x" }],
  ["POST", "/api/v1/ca/rotate", { what: "root" }],
  ["POST", "/api/v1/ca/load", { chain: "x", key: "x" }],
  ["POST", "/api/v1/ca/revocations", { kind: "identity", value: "fort/friend" }],
  ["GET", "/api/v1/ca/revocations", null],
  ["GET", "/api/v1/ca/audit", null],
  ["GET", "/api/v1/principal", null],
  ["POST", "/api/v1/access", { name: "root", role: "admin" }],
  ["GET", "/api/v1/access", null],
  ["DELETE", "/api/v1/access/0123456789ab", null],
  ["GET", "/api/v1/audit", null],
  ["GET", "/api/v1/audit/chain?log=operations", null],
  ["POST", "/api/v1/explain", {}],
  ["GET", "/api/v1/topology", null],
  ["GET", "/api/v1/status", null],
  ["GET", "/metrics", null],
];

/** Operations that are about everybody, or change something: neither of the small tokens may. */
const BEYOND = /rollback|\/ca\/|explain|metrics|audit|access|fort\//;

/** Documents by which an editor of `mine` would reach beyond. */
const REACHES: Readonly<Record<string, object>> = {
  "a Service of the fort": resource("v1", "Service", "fort", { ports: [{ port: 80 }] }),
  "an Endpoint of the fort": resource("selvedge.dev/v1", "Endpoint", "fort", {
    address: "https://mine.example",
  }),
  "a policy of the fort": resource("security.istio.io/v1", "AuthorizationPolicy", "fort", { rules: [{}] }),
  "a policy of the whole mesh": resource("security.istio.io/v1", "AuthorizationPolicy", "selvedge-system", {
    rules: [{}],
  }),
  "permission for the whole mesh": resource("security.istio.io/v1", "PeerAuthentication", "selvedge-system", {
    mtls: { mode: "DISABLE" },
  }),
  "permission for the fort": resource("security.istio.io/v1", "PeerAuthentication", "fort", {
    mtls: { mode: "DISABLE" },
  }),
  "users of the fort": resource("security.istio.io/v1", "RequestAuthentication", "fort", {}),
  "a route of the fort": resource("gateway.networking.k8s.io/v1", "HTTPRoute", "fort", {
    parentRefs: [{ name: "door" }],
  }),
  "a gateway of the fort": resource("gateway.networking.k8s.io/v1", "Gateway", "fort", {
    gatewayClassName: "selvedge",
    listeners: [{ name: "a", port: 80, protocol: "HTTP" }],
  }),
  "a grant of the fort": resource("gateway.networking.k8s.io/v1", "ReferenceGrant", "fort", {
    from: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "mine" }],
    to: [{ group: "", kind: "Service" }],
  }),
  "traffic of the fort": resource("selvedge.dev/v1", "TrafficPolicy", "fort", {
    targetRefs: [{ kind: "Service", name: "vault" }],
  }),
  "limits of the fort": resource("selvedge.dev/v1", "RateLimitPolicy", "fort", { limits: [] }),
  "faults of the fort": resource("selvedge.dev/v1", "FaultPolicy", "fort", {}),
  "a secret of the fort": resource("v1", "Secret", "fort", {}),
  "a namespace": { apiVersion: "v1", kind: "Namespace", metadata: { name: "other" } },
  "a class of gateways": {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "GatewayClass",
    metadata: { name: "selvedge" },
    spec: { controllerName: "selvedge.dev/gateway-controller" },
  },
};

/** Documents of its own by which it would use what is not its own. */
const STEALS: Readonly<Record<string, object>> = {
  "the vault's binding": resource("selvedge.dev/v1", "Endpoint", "mine", {
    address: "binding:VAULT_WORKLOAD",
  }),
  "the keep's binding": resource("selvedge.dev/v1", "Endpoint", "mine", { address: "binding:KEEP" }),
  "a Worker of the platform": resource("selvedge.dev/v1", "Endpoint", "mine", { address: "dispatch:other" }),
  "a certificate": resource("selvedge.dev/v1", "Endpoint", "mine", {
    address: "https://a.example",
    clientCertificate: "FORT_CERTIFICATE",
  }),
};

/** Other spellings of a path, and other names of a namespace. */
const SPELLINGS = [
  "//api/v1/status",
  "/api//v1/status",
  "/api/v1/./status",
  "/api/v1/../v1/status",
  "/api/v1/%73tatus",
  "/api/v1/status/",
  "/API/v1/status",
  "/api/v1/status;a",
  "/api/v1/status%00",
  "/api/v1/status%2f",
  "/healthz/../api/v1/status",
  "/healthz/..%2fapi/v1/status",
  "/healthz\\..\\api/v1/status",
  "/.well-known/../api/v1/status",
];

const FOREIGN_SPELLINGS = [
  "fort",
  "%66ort",
  "f%6Frt",
  "fort%20",
  "fort%00",
  "mine%2f..%2ffort",
  "FORT",
  "mine,fort",
  "*",
  "mine%0afort",
];

const GUESSES = (admin: string, editor: string): readonly string[] => [
  "",
  "x",
  admin.slice(0, -1),
  `${admin}x`,
  admin.toUpperCase(),
  ` ${admin}`,
  `${admin}, Bearer ${admin}`,
  `${admin}\t`.trimStart() + "x",
  editor.slice(0, -1),
  `${editor}x`,
  editor.toUpperCase(),
  editor.replace(/_[^_]*$/, "_"),
  editor.replace(/_[^_]*$/, ""),
  editor.replace("slv_", ""),
  editor.replace(/[0-9a-f]{12}/, "000000000000"),
  editor.replace(/[0-9a-f]{12}/, "' OR 1=1 --"),
  `slv_${"0".repeat(12)}_${"0".repeat(43)}`,
  "slv_",
  "null",
  "undefined",
  "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsInJvbGUiOiJhZG1pbiJ9.",
  "x".repeat(5_000),
];

export function adminAttacks(arms: Arms): Attack[] {
  const { admin, editor, viewer, friend } = arms;
  return [
    ...OPERATIONS.flatMap(([method, path, body]) => [
      ask(`nobody ${method} ${path}`, [method, path, [], body], UNAUTHORIZED),
      ask(`a workload ${method} ${path}`, [method, path, [bearer(friend)], body], UNAUTHORIZED),
      ...(BEYOND.test(path) || body !== null
        ? [ask(`a viewer ${method} ${path}`, [method, path, [bearer(viewer)], body], FORBIDDEN)]
        : []),
      ...(BEYOND.test(path)
        ? [
            ask(
              `an editor ${method} ${path}`,
              [method, path, [bearer(editor)], body],
              [...FORBIDDEN, "422 config.invalid"],
            ),
          ]
        : []),
    ]),
    ...[...Object.entries(REACHES), ...Object.entries(STEALS)].map(([name, document]) =>
      ask(
        `an editor applies ${name}`,
        ["POST", "/api/v1/apply", [bearer(editor)], { documents: [document] }],
        [...FORBIDDEN, "422 config.invalid"],
      ),
    ),
    ...Object.values(REACHES).map((document, at) =>
      ask(
        `an editor hides it among its own ${at}`,
        ["POST", "/api/v1/apply", [bearer(editor)], hidden(document)],
        [...FORBIDDEN, "422 config.invalid"],
      ),
    ),
    ...SPELLINGS.map((path) =>
      ask(`spelled ${path}`, ["GET", path, [], null], [...UNAUTHORIZED, "404 route.none", "400"]),
    ),
    ...FOREIGN_SPELLINGS.flatMap((name) => [
      ask(
        `an editor reads ${name}`,
        ["GET", `/api/v1/services/${name}/vault`, [bearer(editor)], null],
        [...FORBIDDEN, "404 route.none"],
      ),
      ask(
        `an editor lists ${name}`,
        ["GET", `/api/v1/resources?namespace=${name}`, [bearer(editor)], null],
        [...FORBIDDEN, "422 config.invalid", "400 request.malformed"],
      ),
      ask(
        `an editor deletes ${name}`,
        ["DELETE", `/api/v1/resources/Service/${name}/vault`, [bearer(editor)], null],
        [...FORBIDDEN, "404 route.none"],
      ),
    ]),
    ...[
      "fort/friend",
      "fort/../fort/friend",
      "mine/../fort/friend",
      "mine/../../ns/fort/sa/friend",
      "/fort/friend",
      "fort",
      "*/friend",
      "mine/friend/..",
      "selvedge-system/x",
    ].map((workload) =>
      ask(
        `an editor's token of ${workload}`,
        ["POST", "/api/v1/tokens", [bearer(editor)], { workload }],
        [...FORBIDDEN, "422 config.invalid", "400 request.malformed"],
      ),
    ),
    ...GUESSES(admin, editor).map((guess, at) =>
      ask(`guess ${at}`, ["GET", STATUS, [bearer(guess)], null], UNAUTHORIZED),
    ),
    ...browsers(admin),
    ...carried(admin),
    ...misplaced(admin),
  ];
}

function hidden(document: object): object {
  const own = resource("v1", "Service", "mine", { ports: [{ port: 80 }] });
  return {
    documents: [own, { apiVersion: "v1", kind: "List", items: [document] }],
    defaultNamespace: "mine",
  };
}

/** Pages of other sites, with a token that a browser might have. */
function browsers(admin: string): Attack[] {
  const origins = [
    "https://evil.test",
    "null",
    "http://127.0.0.1.evil.test",
    "http://127.0.0.1:1",
    "https://127.0.0.1",
    "http://localhost",
    "file://",
    "http://127.0.0.1@evil.test",
  ];
  const sites = ["cross-site", "same-site", "SAME-ORIGIN", "x", ""];
  const refused = ["403 csrf.origin"];
  return [
    ...origins.map((origin) =>
      ask(`a page of ${origin}`, ["GET", STATUS, [bearer(admin), `Origin: ${origin}`], null], refused),
    ),
    ...origins.map((origin) =>
      ask(
        `a page of ${origin} writes`,
        ["POST", "/api/v1/apply", [bearer(admin), `Origin: ${origin}`], { documents: [] }],
        refused,
      ),
    ),
    ...sites.map((site) =>
      ask(
        `a page that is ${site}`,
        ["GET", STATUS, [bearer(admin), `Sec-Fetch-Site: ${site}`], null],
        refused,
      ),
    ),
    ask(
      "a preflight",
      ["OPTIONS", STATUS, ["Origin: https://evil.test", "Access-Control-Request-Method: POST"], null],
      refused,
    ),
  ];
}

/** What a mesh carried here, for an endpoint could point at the admin API. */
function carried(admin: string): Attack[] {
  return ["x-selvedge-hops: 1", "x-selvedge-peer: a", "X-SELVEDGE-ANYTHING: a", "x-selvedge-: a"].map(
    (line) => ask(`carried with ${line}`, ["GET", STATUS, [bearer(admin), line], null], FORBIDDEN),
  );
}

/** A true token where nobody should look for it, or under another method's name. */
function misplaced(admin: string): Attack[] {
  return [
    ask("in the query", ["GET", `${STATUS}?token=${admin}&access_token=${admin}`, [], null], UNAUTHORIZED),
    ask(
      "in a cookie",
      ["GET", STATUS, [`Cookie: token=${admin}; CF_Authorization=${admin}`], null],
      UNAUTHORIZED,
    ),
    ask("by another scheme", ["GET", STATUS, [`Authorization: Basic ${admin}`], null], UNAUTHORIZED),
    ask("in lower case", ["GET", STATUS, [`Authorization: bearer ${admin}`], null], UNAUTHORIZED),
    ask("in X-Auth-Token", ["GET", STATUS, [`X-Auth-Token: ${admin}`], null], UNAUTHORIZED),
    ask(
      "in the proxy's field",
      ["GET", STATUS, [`Proxy-Authorization: Bearer ${admin}`], null],
      UNAUTHORIZED,
    ),
    ask(
      "another method by a field",
      ["POST", "/healthz", ["X-HTTP-Method-Override: GET"], null],
      UNAUTHORIZED,
    ),
    ask("TRACE", ["TRACE", STATUS, [bearer(admin)], null], ["405 method.not_allowed", "501", "400"]),
    {
      id: "admin by another host",
      class: "admin",
      at: "admin",
      how: get(STATUS, ["Host: evil.test", bearer(admin)]),
      expected: ["421 host.unknown"],
    },
    {
      id: "admin by localhost's other name",
      class: "admin",
      at: "admin",
      how: get(STATUS, ["Host: localhost.evil.test", bearer(admin)]),
      expected: ["421 host.unknown"],
    },
    {
      id: "admin by two hosts",
      class: "admin",
      at: "admin",
      how: get(STATUS, [`Host: ${ADMIN}`, "Host: evil.test", bearer(admin)]),
      expected: ["400", "400 host.invalid"],
    },
    {
      id: "admin by user information",
      class: "admin",
      at: "admin",
      how: get(STATUS, [`Host: evil.test@${ADMIN}`, bearer(admin)]),
      expected: ["400", "400 host.invalid"],
    },
  ];
}

function ask(
  name: string,
  [method, path, lines, body]: readonly [string, string, readonly string[], unknown],
  expected: readonly string[],
): Attack {
  const all = [`Host: ${ADMIN}`, ...lines];
  const how = body === null ? request(method, path, all) : send(method, path, all, JSON.stringify(body));
  return { id: `admin ${name}`, class: "admin", at: "admin", how, expected };
}

function resource(apiVersion: string, kind: string, namespace: string, spec: object): object {
  return { apiVersion, kind, metadata: { name: "a", namespace }, spec };
}
