import { expect, test } from "vitest";
import { ask } from "../conformance/http.ts";
import { echo, startUpstream } from "../conformance/upstream.ts";
import { applyDocuments, clientOf, startMesh } from "./bookinfo.ts";

const WWW = "www.fronts.test";

function named(apiVersion: string, kind: string, name: string, spec: unknown): unknown {
  return { apiVersion, kind, metadata: { name, namespace: "bookinfo" }, spec };
}

function gateway(name: string, hostname: string): unknown {
  return named("gateway.networking.k8s.io/v1", "Gateway", name, {
    gatewayClassName: "selvedge",
    listeners: [
      { name: "http", port: 80, protocol: "HTTP", hostname },
      { name: "alt", port: 8080, protocol: "HTTP", hostname: "*.alt.test" },
    ],
  });
}

function documents(address: string): unknown[] {
  const rules = [
    {
      matches: [{ path: { value: "/moved" } }],
      filters: [{ type: "RequestRedirect", requestRedirect: { hostname: "new.test" } }],
    },
    { backendRefs: [{ name: "web", port: 80 }] },
  ];
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "bookinfo" } },
    named("v1", "Service", "web", { ports: [{ port: 80 }] }),
    named("selvedge.dev/v1", "Endpoint", "web", { address, services: ["web"] }),
    gateway("one", "*.fronts.test"),
    gateway("two", "other.test"),
    named("gateway.networking.k8s.io/v1", "HTTPRoute", "web", {
      parentRefs: [{ name: "one" }, { name: "two" }],
      rules,
    }),
  ];
}

/** Status, and the mesh's own code where it refused. */
async function answered(port: number, host: string, headers: Readonly<Record<string, string>>, path = "/") {
  const { status, body, headers: answer } = await ask(port, path, { headers: { host, ...headers } });
  const code = /"code":"([a-z_.]+)"/.exec(body)?.[1];
  return [status, answer.location ?? code].filter((part) => part !== undefined).join(" ");
}

const at = (told: string) => ({ "x-selvedge-door": told });

test("a front says at which gateway address a call came in; nobody else can", async () => {
  const upstream = await startUpstream(echo);
  const runtime = await startMesh({ sockets: { door: { service: "selvedge", entrypoint: "Door" } } });
  await applyDocuments(clientOf(runtime), documents(upstream.url));
  const { port } = runtime.socket("door");
  const [one, two] = [at("bookinfo/one;port=80;scheme=http"), at("bookinfo/two;port=80;scheme=http")];

  expect({
    "a listener of the gateway": await answered(port, WWW, one),
    "a host of another gateway only": await answered(port, WWW, two),
    "a host of another port only": await answered(port, "a.alt.test", one),
    "that port": await answered(port, "a.alt.test", at("bookinfo/one;port=8080;scheme=http")),
    "another scheme": await answered(port, WWW, at("bookinfo/one;port=80;scheme=https")),
    "a gateway that is not there": await answered(port, WWW, at("bookinfo/three;port=80;scheme=http")),
    "a redirect, to the port that was called": await answered(
      port,
      "a.alt.test",
      at("bookinfo/one;port=8080;scheme=http"),
      "/moved",
    ),
    "no address": await answered(port, WWW, {}),
    "an address that is none": await answered(port, WWW, at("one:80")),
    "outside, where the header means nothing": await answered(runtime.port, WWW, two),
  }).toEqual({
    "a listener of the gateway": "200",
    "a host of another gateway only": "404 route.none",
    "a host of another port only": "404 route.none",
    "that port": "200",
    "another scheme": "404 route.none",
    "a gateway that is not there": "421 host.unknown",
    "a redirect, to the port that was called": "302 http://new.test:8080/moved",
    "no address": "400 request.malformed",
    "an address that is none": "400 request.malformed",
    "outside, where the header means nothing": "200",
  });
  expect(upstream.seen.length).toBeGreaterThan(0);
  for (const { headers } of upstream.seen) expect(headers).not.toHaveProperty("x-selvedge-door");
});
