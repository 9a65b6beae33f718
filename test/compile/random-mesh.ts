/** Random changes to a small mesh, small enough that everything meets everything. */
import type { World } from "../../shared/compile/world.ts";
import { put, remove, setChecked, setEjected, setRegistered } from "../../shared/compile/world.ts";
import { affected } from "../../shared/compile/affected.ts";
import type { UnitKey } from "../../shared/engine/snapshot.ts";
import { parseDocuments } from "../../shared/wire/parse.ts";
import { resourceKey, type Resource, type ResourceRef } from "../../shared/wire/resource.ts";
import type { CheckedEndpoint, RegisteredEndpoint } from "../../shared/wire/registry-rpc.ts";
import { oneOf, severalOf } from "../engine/random.ts";
import { FOREIGN_SPECS, foreignKeys } from "./random-foreign.ts";
import { addedParent, allowedListeners, GATEWAY_SPECS } from "./random-gateway.ts";
import { store } from "./worlds.ts";

type Random = () => number;

const NAMESPACES = ["a", "b", "selvedge-system"];
const NAMES = ["x", "y", "z"];
const HOSTS = ["www.test", "api.test", "*.test", "*.api.test", "v1.api.test"];
const GATEWAY = "gateway.networking.k8s.io";

/** What a mesh holds, kept apart from any world: the slow and obvious version builds a new one from it. */
export interface Holdings {
  readonly resources: Map<string, Resource>;
  readonly registered: Map<string, readonly RegisteredEndpoint[]>;
  readonly ejected: Map<string, readonly string[]>;
  readonly checked: Map<string, readonly CheckedEndpoint[]>;
}

/** One change, described for whoever reads a failure, and how to make it. Answers what it says it affected. */
export interface RandomChange {
  readonly what: string;
  apply(world: World, holdings: Holdings): ReadonlySet<UnitKey>;
}

function labelsOf(random: Random): Record<string, string> {
  const pairs = severalOf(
    random,
    0,
    2,
    () => [oneOf(random, ["app", "version"]), oneOf(random, ["1", "2"])] as const,
  );
  return Object.fromEntries(pairs);
}

function target(random: Random): object {
  return { kind: "Service", name: oneOf(random, NAMES) };
}

/** Either a selector, or targets, or neither. */
function scope(random: Random, withGateways: boolean): object {
  const gateway = { kind: "Gateway", group: GATEWAY, name: oneOf(random, NAMES) };
  return oneOf<object>(random, [
    {},
    { selector: { matchLabels: labelsOf(random) } },
    { targetRefs: [withGateways && random() < 0.5 ? gateway : target(random)] },
  ]);
}

function parentRef(random: Random): object {
  const namespace = oneOf(random, NAMESPACES);
  const name = oneOf(random, NAMES);
  return oneOf<object>(random, [
    { kind: "Service", group: "", name, namespace },
    { kind: "Service", group: "", name, namespace, port: oneOf(random, [80, 81]) },
    { name, namespace },
    { name, namespace, sectionName: oneOf(random, ["http", "other"]) },
    addedParent(random),
  ]);
}

function rule(random: Random): object {
  return {
    matches: severalOf(random, 0, 2, () => ({ path: { value: oneOf(random, ["/", "/a", "/a/b"]) } })),
    backendRefs: severalOf(random, 0, 2, () => ({
      name: oneOf(random, NAMES),
      namespace: oneOf(random, NAMESPACES),
      port: oneOf(random, [80, 81]),
    })),
  };
}

function listener(random: Random, name: string): object {
  const hostname = oneOf(random, [[], ...HOSTS.map((name) => [name])])[0];
  const namespaces = oneOf<object>(random, [
    { from: "Same" },
    { from: "All" },
    { from: "Selector", selector: { matchLabels: { app: oneOf(random, ["1", "2"]) } } },
  ]);
  return { name, port: name === "http" ? 80 : 81, protocol: "HTTP", hostname, allowedRoutes: { namespaces } };
}

const SPECS: Readonly<Record<string, readonly [apiVersion: string, spec: (random: Random) => object]>> = {
  Namespace: ["v1", () => ({})],
  Service: [
    "v1",
    (random) => ({
      selector: labelsOf(random),
      ports: severalOf(random, 0, 1, () => ({ name: "web", port: oneOf(random, [80, 81]) })),
    }),
  ],
  Endpoint: [
    "selvedge.dev/v1",
    (random) => ({
      address: `binding:${oneOf(random, ["A", "B"])}`,
      joined: random() < 0.5,
      services: severalOf(random, 0, 1, () => oneOf(random, NAMES)),
    }),
  ],
  Gateway: [
    `${GATEWAY}/v1`,
    (random) => ({
      gatewayClassName: "x",
      infrastructure: { labels: labelsOf(random) },
      allowedListeners: allowedListeners(random),
      listeners: [listener(random, "http"), ...severalOf(random, 0, 1, () => listener(random, "other"))],
    }),
  ],
  HTTPRoute: [
    `${GATEWAY}/v1`,
    (random) => ({
      parentRefs: [parentRef(random)],
      hostnames: [...new Set(severalOf(random, 0, 2, () => oneOf(random, HOSTS)))],
      rules: severalOf(random, 1, 2, () => rule(random)),
    }),
  ],
  AuthorizationPolicy: [
    "security.istio.io/v1",
    (random) => ({
      ...scope(random, true),
      ...oneOf<object>(random, [
        { action: oneOf(random, ["ALLOW", "DENY", "AUDIT"]) },
        { action: "CUSTOM", provider: { name: oneOf(random, NAMES) } },
      ]),
      rules: severalOf(random, 0, 1, () => ({})),
    }),
  ],
  AuthorizationProvider: [
    "selvedge.dev/v1",
    (random) => ({ address: `binding:${oneOf(random, ["A", "B"])}` }),
  ],
  RequestAuthentication: [
    "security.istio.io/v1",
    (random) => ({
      ...scope(random, true),
      jwtRules: [{ issuer: oneOf(random, NAMES), jwksUri: "https://issuer.example/keys" }],
    }),
  ],
  PeerAuthentication: [
    "security.istio.io/v1",
    (random) => ({
      ...oneOf<object>(random, [{}, { selector: { matchLabels: labelsOf(random) } }]),
      mtls: { mode: oneOf(random, ["UNSET", "STRICT", "PERMISSIVE", "DISABLE"]) },
    }),
  ],
  TrafficPolicy: [
    "selvedge.dev/v1",
    (random) => {
      const group = GATEWAY;
      const name = oneOf(random, NAMES);
      const panicThreshold = Math.floor(random() * 100);
      return oneOf<object>(random, [
        { targetRefs: [target(random)], panicThreshold },
        {
          targetRefs: [target(random)],
          healthCheck: { initialState: oneOf(random, ["Healthy", "Unhealthy"]) },
        },
        {
          targetRefs: [target(random)],
          slowStart: { window: "1m" },
          subsets: [{ name: "one", labels: { version: "1" }, panicThreshold }],
        },
        { targetRefs: [{ kind: "HTTPRoute", group, name }], split: { stickyBy: { type: "Caller" } } },
        { targetRefs: [{ kind: "HTTPRoute", group, name }], priority: oneOf(random, ["High", "Low"]) },
        { targetRefs: [target(random)], overload: { maxConcurrency: 10 + Math.floor(random() * 9) } },
        {
          targetRefs: [{ kind: "Gateway", group, name }],
          pathNormalization: oneOf(random, ["None", "Base"]),
        },
      ]);
    },
  ],
  FaultPolicy: [
    "selvedge.dev/v1",
    (random) => ({
      targetRefs: [
        oneOf<object>(random, [
          target(random),
          { kind: "HTTPRoute", group: GATEWAY, name: oneOf(random, NAMES) },
        ]),
      ],
      expiresAfter: "1h",
      faults: [{ abort: { httpStatus: 500 + Math.floor(random() * 9), percentage: 10 } }],
    }),
  ],
  ...GATEWAY_SPECS,
  RateLimitPolicy: [
    "selvedge.dev/v1",
    (random) => ({ targetRefs: [target(random)], limits: [{ requests: 1 + Math.floor(random() * 9) }] }),
  ],
};

/** Draws a change: of two puts or so, one is undone by a removal. */
export function drawChange(random: Random): RandomChange {
  return drawAmong(random, random() < 0.25 ? FOREIGN_SPECS : SPECS);
}

/** Draws a change of what gateways have to do with, so that more of it meets. */
export function drawGatewayChange(random: Random): RandomChange {
  const kinds = ["Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute", "ReferenceGrant", "Service"];
  return drawAmong(
    random,
    Object.fromEntries(Object.entries(SPECS).filter(([kind]) => kinds.includes(kind))),
  );
}

function drawAmong(random: Random, specs: typeof SPECS): RandomChange {
  const draw = random();
  if (draw < 0.08) return drawRegistration(random);
  if (draw < 0.12) return drawEjection(random);
  if (draw < 0.16) return drawChecks(random);
  const resource = drawResource(random, specs);
  return draw < 0.4 ? removal(resource) : addition(resource);
}

function drawResource(random: Random, specs: typeof SPECS): Resource {
  // Namespaces are drawn often: few gateways select by them, and fewer routes then attach.
  const kind = random() < 0.15 ? "Namespace" : oneOf(random, Object.keys(specs));
  const [apiVersion, spec] = specs[kind] ?? SPECS[kind] ?? ["", () => ({})];
  const place = oneOf(random, NAMESPACES);
  const metadata =
    kind === "Namespace"
      ? { name: place, labels: labelsOf(random) }
      : {
          name: oneOf(random, NAMES),
          namespace: place,
          labels: { ...labelsOf(random), ...named(random, kind) },
        };
  const document = JSON.parse(JSON.stringify({ apiVersion, kind, metadata, spec: spec(random) })) as unknown;
  const result = parseDocuments([document], { allowPrivateEndpoints: false });
  if (!result.ok || result.resources[0] === undefined) throw new Error(JSON.stringify(result));
  return store(result.resources[0], Math.floor(random() * 3));
}

/** The label by which an EndpointSlice names its Service. */
function named(random: Random, kind: string): Record<string, string> {
  return kind === "EndpointSlice" ? { "kubernetes.io/service-name": oneOf(random, NAMES) } : {};
}

function refOf({ apiVersion, kind, metadata: { namespace, name } }: Resource): ResourceRef {
  return { apiVersion, kind, namespace, name };
}

function addition(resource: Resource): RandomChange {
  return {
    what: `put ${JSON.stringify(resource)}`,
    apply(world, { resources }) {
      const before = affected(world, resource);
      resources.set(resourceKey(refOf(resource)), resource);
      put(world, resource);
      return new Set([...before, ...affected(world, resource)]);
    },
  };
}

function removal(resource: Resource): RandomChange {
  const ref = refOf(resource);
  return {
    what: `remove ${resourceKey(ref)}`,
    apply(world, { resources }) {
      const before = affected(world, ref);
      resources.delete(resourceKey(ref));
      remove(world, ref);
      return new Set([...before, ...affected(world, ref)]);
    },
  };
}

function drawRegistration(random: Random): RandomChange {
  const service = `${oneOf(random, NAMESPACES)}/${oneOf(random, NAMES)}`;
  const ids = new Set(severalOf(random, 0, 2, () => oneOf(random, NAMES)));
  const endpoints = [...ids].map((id): RegisteredEndpoint => ({
    id,
    address: `https://${oneOf(random, ["p", "q"])}.example.com`,
    labels: labelsOf(random),
    weight: 1,
    health: oneOf(random, ["healthy", "unhealthy"]),
    isJoined: false,
    serviceAccount: null,
  }));
  return {
    what: `register ${service} ${JSON.stringify(endpoints)}`,
    apply(world, { registered }) {
      registered.set(service, endpoints);
      return setRegistered(world, service, endpoints);
    },
  };
}

function drawEjection(random: Random): RandomChange {
  const service = `${oneOf(random, NAMESPACES)}/${oneOf(random, NAMES)}`;
  const ids = severalOf(random, 0, 2, () => oneOf(random, NAMES));
  return {
    what: `eject ${service} ${ids.join()}`,
    apply(world, { ejected }) {
      ejected.set(service, ids);
      return setEjected(world, service, ids);
    },
  };
}

function drawChecks(random: Random): RandomChange {
  const service = `${oneOf(random, NAMESPACES)}/${oneOf(random, NAMES)}`;
  const verdicts = severalOf(random, 0, 2, () => ({
    id: oneOf(random, NAMES),
    health: oneOf(random, ["healthy", "unhealthy"] as const),
  }));
  return {
    what: `check ${service} ${JSON.stringify(verdicts)}`,
    apply(world, { checked }) {
      checked.set(service, verdicts);
      return setChecked(world, service, verdicts);
    },
  };
}

/** Every unit that a mesh of these names could have. */
export function everyKey(): UnitKey[] {
  const places = NAMESPACES.flatMap((namespace) => NAMES.map((name) => `${namespace}/${name}`));
  const hosts = places.flatMap((place) =>
    ["http", "other"].flatMap((name) => ["*", ...HOSTS].map((domain) => `host:${place}/${name}#${domain}`)),
  );
  const added = places.flatMap((gateway) =>
    places.flatMap((set) =>
      ["http", "other"].flatMap((name) =>
        ["*", ...HOSTS].map((domain) => `host:${gateway}/${set}/${name}#${domain}`),
      ),
    ),
  );
  return [
    "directory",
    ...added,
    ...places.flatMap((place) => [`service:${place}`, `workload:${place}`]),
    ...hosts,
    ...foreignKeys(NAMESPACES),
  ];
}
