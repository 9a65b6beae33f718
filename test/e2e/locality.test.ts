import { expect, test } from "vitest";
import { always, startUpstream } from "../conformance/upstream.ts";
import { applyDocuments, clientOf, startMesh } from "./bookinfo.ts";
import { ask, inTurns, until } from "./http-client.ts";

const HOST = "places.localhost";

/** A service with an instance in two regions, behind an edge in one of them, and another service that stands in. */
async function startPlaces() {
  const [near, far, spare] = [
    await startUpstream(always(200)),
    await startUpstream(always(201)),
    await startUpstream(always(202)),
  ];
  const { port, ...runtime } = await startMesh({ vars: { SELVEDGE_LOCALITY: "EU/FRA" } });
  await applyDocuments(clientOf({ port, ...runtime }), [
    named("v1 Service", "places", { selector: { app: "places" }, ports: [{ port: 80 }] }),
    named("v1 Service", "spare", { selector: { app: "spare" }, ports: [{ port: 80 }] }),
    named("selvedge.dev/v1 Endpoint", "near", { address: near.url, locality: "eu/fra" }, "places"),
    named("selvedge.dev/v1 Endpoint", "far", { address: far.url, locality: "us/iad" }, "places"),
    named("selvedge.dev/v1 Endpoint", "spare", { address: spare.url }, "spare"),
    named("selvedge.dev/v1 TrafficPolicy", "places", {
      targetRefs: [{ group: "", kind: "Service", name: "places" }],
      failover: [{ service: "spare" }],
    }),
    named("gateway.networking.k8s.io/v1 Gateway", "door", {
      gatewayClassName: "selvedge",
      listeners: [{ name: "http", port: 80, protocol: "HTTP", hostname: HOST }],
    }),
    named("gateway.networking.k8s.io/v1 HTTPRoute", "places", {
      parentRefs: [{ name: "door" }],
      hostnames: [HOST],
      rules: [{ backendRefs: [{ name: "places", port: 80 }] }],
    }),
  ]);
  const call = async (): Promise<number> => (await ask({ port, host: HOST, path: "/" })).status;
  await until(call, (status) => status < 300);
  /** The statuses of some calls: 200 from the near one, 201 from the far one, 202 from who stands in. */
  const calls = async (): Promise<readonly number[]> => [...new Set(await inTurns(60, 4, call))].sort();
  return { near, far, calls };
}

function named(type: string, name: string, spec: unknown, app = ""): unknown {
  const [apiVersion, kind] = type.split(" ");
  return { apiVersion, kind, metadata: { name, labels: app === "" ? {} : { app } }, spec };
}

test("an edge calls its own region, then others, then who stands in, and no call fails", async () => {
  const { near, far, calls } = await startPlaces();

  const first = await calls();
  await near.close();
  const second = await calls();
  const third = await calls();
  await far.close();
  const fourth = await calls();
  const last = await calls();

  expect([first, second, third]).toEqual([[200], [201], [201]]);
  // Until the circuit of the far one is open, its calls move on by retries.
  expect([fourth, last]).toEqual([[202], [202]]);
});
