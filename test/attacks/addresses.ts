/** Configuration that would have the mesh call what is not the tenant's (SSRF). */
import { ADMIN, type Arms, type Attack, bearer, send } from "./attack.ts";

/** Spellings of addresses inside, and of the host that runs the mesh. */
const INSIDE = [
  "http://127.0.0.1",
  "http://127.0.0.1:8787",
  "http://127.1",
  "http://2130706433",
  "http://0x7f.1",
  "http://0x7f000001",
  "http://017700000001",
  "http://127.0.0.1.",
  "http://0177.0.0.1",
  "http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460",
  "http://0.0.0.0",
  "http://0",
  "http://10.0.0.1",
  "http://172.16.0.1",
  "http://192.168.0.1",
  "http://100.64.0.1",
  "http://169.254.169.254",
  "http://169.254.169.254.",
  "http://2852039166",
  "http://0xa9fea9fe",
  "http://198.18.0.1",
  "http://224.0.0.1",
  "http://255.255.255.255",
  "http://[::1]",
  "http://[::]",
  "http://[::ffff:127.0.0.1]",
  "http://[::ffff:7f00:1]",
  "http://[::127.0.0.1]",
  "http://[64:ff9b::7f00:1]",
  "http://[2002:7f00:1::]",
  "http://[fe80::1]",
  "http://[fc00::1]",
  "http://[fd00:ec2::254]",
  "http://[2001:db8::1]",
  "http://localhost",
  "http://localhost.",
  "http://LOCALHOST",
  "http://a.localhost",
  "http://metadata",
  "http://metadata.google.internal",
  "http://router.lan",
  "http://printer.local",
  "http://host.docker.internal",
  "https://127.0.0.1",
  "https://[::1]:443",
];

/** No addresses of endpoints at all. */
const NONSENSE = [
  "http://user:password@example.com",
  "http://example.com@127.0.0.1",
  "http://127.0.0.1@example.com",
  "http://example.com/path",
  "http://example.com?x",
  "http://example.com#x",
  "http://example.com\\@127.0.0.1",
  "http://exa mple.com",
  "http://example.com\r\nX-A: b",
  "http://example.com\u0000",
  "http:127.0.0.1",
  "http:///127.0.0.1",
  "http://",
  "http://example.com:99999",
  "//127.0.0.1",
  "file:///etc/passwd",
  "ftp://example.com",
  "gopher://127.0.0.1",
  "data:text/plain,x",
  "javascript:alert(1)",
  "unix:/run/docker.sock",
  "binding:REGISTRY",
  "binding:AUTHORITY",
  "binding:ADMIN",
  "binding:TELEMETRY",
  "binding:SELVEDGE_ADMIN_TOKEN_SHA256",
  "binding:MESH",
  "binding:__proto__",
  "binding:constructor",
  "binding:toString",
  "binding:",
  "binding:A:B",
  "dispatch:../other",
  "dispatch:",
  "",
];

const ORIGIN_ONLY = INSIDE.filter((address) => /^http:\/\/[!-~]+$/.test(address));

/** An editor has no bindings either. */
const REFUSED = ["422 config.invalid", "422 endpoint.forbidden", "403 admin.forbidden"];

export function addressAttacks({ admin, editor }: Arms): Attack[] {
  return [
    ...[...INSIDE, ...NONSENSE].flatMap((address) => [
      applied(`Endpoint ${address}`, admin, endpoint(address)),
      registered(`registration ${address}`, editor, address),
    ]),
    ...ORIGIN_ONLY.flatMap((address) => {
      const { hostname } = new URL(address);
      const host = hostname.replace(/^\[|\]$/g, "");
      return [
        applied(`jwksUri ${address}`, admin, keys(`${address}/keys`)),
        applied(`ServiceEntry ${address}`, admin, serviceEntry(host)),
        applied(`WorkloadEntry ${address}`, admin, workloadEntry(host)),
        applied(`AuthorizationProvider ${address}`, admin, provider(address)),
        ...(/^[0-9a-f.:]+$/i.test(host) ? [applied(`EndpointSlice ${address}`, admin, slice(host))] : []),
      ];
    }),
    ...[
      "http://example.com/keys",
      "file:///keys",
      "https://u@example.com/k",
      "https://example.com/k#x",
      "//x/k",
    ].map((uri) => applied(`jwksUri ${uri}`, admin, keys(uri))),
  ];
}

function applied(name: string, token: string, document: object): Attack {
  const body = JSON.stringify({ documents: [document], defaultNamespace: "mine" });
  return attack(name, send("POST", "/api/v1/apply", [`Host: ${ADMIN}`, bearer(token)], body));
}

function registered(name: string, token: string, address: string): Attack {
  const target = "/api/v1/services/mine/web/endpoints/a";
  return attack(name, send("PUT", target, [`Host: ${ADMIN}`, bearer(token)], JSON.stringify({ address })));
}

function attack(name: string, how: string): Attack {
  return { id: `address ${name}`, class: "addresses", at: "admin", how, expected: REFUSED };
}

function endpoint(address: string): object {
  return { apiVersion: "selvedge.dev/v1", kind: "Endpoint", metadata: { name: "a" }, spec: { address } };
}

function keys(jwksUri: string): object {
  const spec = { jwtRules: [{ issuer: "https://issuer.example", jwksUri }] };
  return { apiVersion: "security.istio.io/v1", kind: "RequestAuthentication", metadata: { name: "a" }, spec };
}

function provider(address: string): object {
  return {
    apiVersion: "selvedge.dev/v1",
    kind: "AuthorizationProvider",
    metadata: { name: "a" },
    spec: { address },
  };
}

function serviceEntry(host: string): object {
  const spec = {
    hosts: ["inside.example"],
    ports: [{ number: 80, name: "http", protocol: "HTTP" }],
    resolution: "DNS",
    endpoints: [{ address: host }],
  };
  return { apiVersion: "networking.istio.io/v1", kind: "ServiceEntry", metadata: { name: "a" }, spec };
}

function workloadEntry(address: string): object {
  const spec = { address, ports: { http: 80 } };
  return { apiVersion: "networking.istio.io/v1", kind: "WorkloadEntry", metadata: { name: "a" }, spec };
}

function slice(address: string): object {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "a", labels: { "kubernetes.io/service-name": "web" } },
    addressType: address.includes(":") ? "IPv6" : "IPv4",
    ports: [{ name: "http", port: 80 }],
    endpoints: [{ addresses: [address] }],
  };
}
