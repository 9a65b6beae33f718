import { expect, test } from "vitest";
import { EXIT } from "../../cli/failure.ts";
import { cli } from "./cli-kit.ts";

const SPLIT = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http:
  - route:
    - {destination: {host: web, subset: v1}, weight: 80}
    - {destination: {host: web, subset: v2}, weight: 20}
`;

const GATEWAY = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, protocol: HTTP}, hosts: ['*']}]
`;

const ROUTE = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: virtualservice.web
  namespace: shop
  annotations:
    selvedge.dev/translated-from: VirtualService shop/web
spec:
  parentRefs:
    - group: ""
      kind: Service
      name: web
  order: Listed
  rules:
    - matches:
        - path:
            type: PathPrefix
            value: /
      backendRefs:
        - kind: Service
          name: web
          subset: v1
          weight: 80
        - kind: Service
          name: web
          subset: v2
          weight: 20
`;

const importOf = (input: string) => cli(["import", "-n", "shop", "-f", "-"], { input });

test("import prints what documents become", async () => {
  expect(await importOf(SPLIT)).toEqual({ code: EXIT.ok, out: ROUTE, err: "" });
});

test("what import prints, import prints again", async () => {
  const { out } = await importOf(`${SPLIT}---${GATEWAY}`);
  const again = await importOf(out);
  expect(again.code).toBe(EXIT.ok);
  expect((await importOf(again.out)).out).toBe(again.out);
});

test("what has no effect is a note beside the documents", async () => {
  const { code, out, err } = await importOf(GATEWAY);
  expect({ code, kind: /^kind: .*$/m.exec(out)?.[0], err }).toEqual({
    code: EXIT.ok,
    kind: "kind: Gateway",
    err: "Note: IstioGateway shop/edge: spec.selector: tells policies which workload this is; the mesh's edge serves every Gateway\n",
  });
});

test.each([
  [
    SPLIT.replace("hosts: [web]", "hosts: ['*']"),
    "Error: The documents cannot be translated:\n  VirtualService shop/web: spec.hosts[0]: a wildcard is for Gateways: inside the mesh name each service\n",
  ],
  [
    SPLIT.replace("weight: 20", "weight: -1"),
    "Error: The documents cannot be translated:\n  VirtualService shop/web: spec.http[0].route[1].weight: must be at least 0\n",
  ],
])("import prints nothing of what cannot be translated: %s", async (input, err) => {
  expect(await importOf(input)).toEqual({ code: EXIT.failure, out: "", err });
});
