/** Random resources of Gateway API's kinds beyond Gateway and HTTPRoute. */
import { oneOf, severalOf } from "../engine/random.ts";

type Random = () => number;
type Spec = readonly [apiVersion: string, spec: (random: Random) => object];

const GROUP = "gateway.networking.k8s.io";
const NAMES = ["x", "y", "z"];
const NAMESPACES = ["a", "b", "selvedge-system"];

function backend(random: Random): object {
  return { name: oneOf(random, NAMES), namespace: oneOf(random, NAMESPACES), port: oneOf(random, [80, 81]) };
}

function gateway(random: Random): object {
  return { name: oneOf(random, NAMES), namespace: oneOf(random, NAMESPACES) };
}

/** A parent that others add listeners to, or a Service's port by name. */
export function addedParent(random: Random): object {
  const [name, namespace] = [oneOf(random, NAMES), oneOf(random, NAMESPACES)];
  return oneOf<object>(random, [
    { kind: "ListenerSet", name, namespace },
    { kind: "ListenerSet", name, namespace, port: 80 },
    { kind: "Service", group: "", name, namespace, sectionName: oneOf(random, ["web", "none"]) },
  ]);
}

/** Which ListenerSets a Gateway lets in. */
export function allowedListeners(random: Random): object {
  return {
    namespaces: oneOf<object>(random, [
      { from: "All" },
      { from: "Same" },
      { from: "Selector", selector: { matchLabels: { app: "1" } } },
    ]),
  };
}

export const GATEWAY_SPECS: Readonly<Record<string, Spec>> = {
  ListenerSet: [
    `${GROUP}/v1`,
    (random) => ({
      parentRef: { name: oneOf(random, NAMES), namespace: oneOf(random, NAMESPACES) },
      listeners: [
        {
          name: oneOf(random, ["http", "other"]),
          port: oneOf(random, [80, 81]),
          protocol: oneOf(random, ["HTTP", "HTTP", "HTTPS", "TCP", "SCTP"]),
          allowedRoutes: { namespaces: { from: oneOf(random, ["Same", "All"]) } },
        },
      ],
    }),
  ],
  GRPCRoute: [
    `${GROUP}/v1`,
    (random) => ({
      parentRefs: [oneOf(random, [addedParent(random), gateway(random), gateway(random), gateway(random)])],
      hostnames: severalOf(random, 0, 1, () => oneOf(random, ["www.test", "api.test", "*.test"])),
      rules: [
        {
          matches: severalOf(random, 0, 1, () => ({ method: { service: oneOf(random, ["s", "t"]) } })),
          filters: severalOf(random, 0, 1, () => ({
            type: "RequestMirror",
            requestMirror: { backendRef: backend(random) },
          })),
          backendRefs: severalOf(random, 0, 1, () => backend(random)),
        },
      ],
    }),
  ],
  TCPRoute: [
    `${GROUP}/v1alpha2`,
    (random) => ({ parentRefs: [addedParent(random)], rules: [{ backendRefs: [backend(random)] }] }),
  ],
  ReferenceGrant: [
    `${GROUP}/v1`,
    (random) => ({
      from: [
        {
          group: GROUP,
          kind: oneOf(random, ["HTTPRoute", "GRPCRoute"]),
          namespace: oneOf(random, NAMESPACES),
        },
      ],
      to: [{ group: "", kind: "Service", ...oneOf<object>(random, [{}, { name: oneOf(random, NAMES) }]) }],
    }),
  ],
  EndpointSlice: [
    "discovery.k8s.io/v1",
    (random) => ({
      addressType: "IPv4",
      endpoints: [{ addresses: severalOf(random, 1, 2, () => oneOf(random, ["8.8.8.8", "9.9.9.9"])) }],
      ports: [{ port: oneOf(random, [80, 81]) }],
    }),
  ],
  BackendTLSPolicy: [
    `${GROUP}/v1`,
    (random) => ({
      targetRefs: [{ group: "", kind: "Service", name: oneOf(random, NAMES) }],
      validation: { wellKnownCACertificates: "System", hostname: "x.test" },
    }),
  ],
};
