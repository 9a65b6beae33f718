import { reset } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import { serviceKey, type ServiceUnit } from "../../shared/engine/snapshot.ts";
import {
  apply,
  everything,
  evict,
  refTo,
  registry,
  service,
  valueOf,
  type Document,
} from "./registry-kit.ts";

afterEach(reset);

function istio(kind: string, name: string, spec: Document["spec"]): Document {
  return {
    apiVersion: "networking.istio.io/v1",
    kind,
    metadata: { name, namespace: "shop" },
    spec,
  };
}

/** Sends all calls to `web` to one subset. */
function virtualService(name: string, subset: string): Document {
  return istio("VirtualService", name, {
    hosts: ["web"],
    http: [{ route: [{ destination: { host: "web", subset } }] }],
  });
}

const RULE = istio("DestinationRule", "web", {
  host: "web",
  subsets: [{ name: "v1", labels: { version: "v1" } }],
});

async function unitOf(name: string): Promise<ServiceUnit | null> {
  const answer = await registry().sync({ version: 0, wanted: [serviceKey(`shop/${name}`)], held: [] });
  const [found] = answer.units;
  return found?.[1].kind === "service" ? found[1] : null;
}

/** The subsets to which calls to `web` go, in the order of the rules. */
async function backends(): Promise<readonly (string | undefined)[]> {
  const unit = await unitOf("web");
  return (unit?.routes ?? []).flatMap(({ routes }) =>
    routes.actions.flatMap((action) => action.backends.map(({ subset }) => subset)),
  );
}

const fieldsOf = async (documents: readonly Document[]) => {
  const outcome = await apply(documents);
  return outcome.ok ? [] : (outcome.problem.fields ?? []).map(({ path, message }) => `${path}: ${message}`);
};

describe("a document of another mesh", () => {
  test("is kept as it came, and what it becomes is compiled", async () => {
    const answer = valueOf(await apply([service("web"), virtualService("web", "v1"), RULE]));
    expect(answer.changes.map(({ ref, change }) => `${change} ${ref.kind} ${ref.name}`)).toEqual([
      "created Service web",
      "created VirtualService web",
      "created DestinationRule web",
    ]);
    const kinds = (await registry().list({})).map(({ kind }) => kind);
    expect(kinds.toSorted()).toEqual(["DestinationRule", "Service", "VirtualService"]);
    expect(await backends()).toEqual(["v1"]);
    expect(Object.keys((await unitOf("web"))?.subsets ?? {})).toEqual(["v1"]);
  });

  test("is replaced, taken back and deleted with all that it became", async () => {
    valueOf(await apply([service("web"), virtualService("web", "v1")]));
    valueOf(await apply([virtualService("web", "v2")]));
    expect(await backends()).toEqual(["v2"]);
    await evict();
    valueOf(await registry().rollback(1, "ada"));
    expect(await backends()).toEqual(["v1"]);
    valueOf(await registry().remove([refTo(virtualService("web", ""))], "ada"));
    expect(await backends()).toEqual([]);
  });

  test("is refused when it would mean something else, and nothing changes", async () => {
    valueOf(await apply([service("web")]));
    const before = await everything();
    const spec = { hosts: ["*"], http: [{ route: [{ destination: { host: "web" } }] }] };
    expect(await fieldsOf([service("cart"), istio("VirtualService", "all", spec)])).toEqual([
      "VirtualService shop/all: spec.hosts[0]: a wildcard is for Gateways: inside the mesh name each service",
    ]);
    expect(await everything()).toEqual(before);
  });

  test("that becomes what somebody wrote is refused, whichever came first", async () => {
    const entry = istio("ServiceEntry", "api", {
      hosts: ["web"],
      ports: [{ number: 443, name: "https", protocol: "HTTPS" }],
      resolution: "STATIC",
      endpoints: [{ address: "web.example.com" }],
    });
    valueOf(await apply([service("web")]));
    const before = await everything();
    const clash =
      "ServiceEntry shop/api: Service shop/web is already there as a resource of its own: rename or delete one of them";
    expect(await fieldsOf([entry])).toEqual([clash]);
    expect(await everything()).toEqual(before);

    valueOf(await registry().remove([refTo(service("web"))], "ada"));
    valueOf(await apply([entry]));
    expect(await fieldsOf([service("web")])).toEqual([
      "Service shop/web: Service shop/web is already there as what ServiceEntry shop/api becomes: rename or delete one of them",
    ]);
    expect((await unitOf("web"))?.endpoints).toHaveLength(1);
  });

  test("tells what has no effect, and what dangles", async () => {
    const gateway = istio("Gateway", "edge", {
      selector: { istio: "ingressgateway" },
      servers: [{ port: { number: 80, protocol: "HTTP" }, hosts: ["*"] }],
    });
    expect(valueOf(await apply([gateway, virtualService("web", "v1")])).warnings).toEqual([
      "IstioGateway shop/edge: spec.selector: tells policies which workload this is; the mesh's edge serves every Gateway",
      "VirtualService shop/web: its parent Service shop/web does not exist",
      "VirtualService shop/web: its backend Service shop/web does not exist: its share of requests is answered with 500",
    ]);
  });

  test("of Consul's is part of a chain, whose parts come one by one", async () => {
    const splitter = {
      Kind: "service-splitter",
      Name: "web",
      Splits: [{ Weight: 100, ServiceSubset: "v1" }],
    };
    const resolver = {
      Kind: "service-resolver",
      Name: "web",
      Redirect: { Service: "cart", ServiceSubset: "v3" },
    };
    const request = { defaultNamespace: "shop" };
    valueOf(await apply([service("web"), service("cart"), splitter], request));
    expect(await backends()).toEqual(["v1"]);
    valueOf(await apply([resolver], request));
    expect(await backends()).toEqual(["v3"]);

    const back = { Kind: "service-resolver", Name: "cart", Redirect: { Service: "web" } };
    const outcome = await apply([back], request);
    expect(outcome).toMatchObject({ ok: false, problem: { code: "config.invalid" } });
    expect(await backends()).toEqual(["v3"]);
  });
});
