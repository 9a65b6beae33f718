/** Random documents of other meshes for the random mesh, whose names they share. */
import { oneOf, severalOf } from "../engine/random.ts";

type Random = () => number;

const NAMES = ["x", "y", "z"];
const ISTIO = "networking.istio.io/v1";
const CONSUL = "consul.hashicorp.com/v1alpha1";

function name(random: Random): string {
  return oneOf(random, NAMES);
}

/** A share that differs from draw to draw, so that a change is one. */
function part(random: Random): number {
  return 1 + Math.floor(random() * 99);
}

function destination(random: Random): object {
  return oneOf<object>(random, [
    { host: name(random) },
    { host: name(random), subset: oneOf(random, ["one", "two"]) },
    { host: `${name(random)}.b.svc.cluster.local`, port: { number: oneOf(random, [80, 81]) } },
  ]);
}

function virtualService(random: Random): object {
  const match = { uri: { prefix: oneOf(random, ["/a", "/b"]) }, port: oneOf(random, [80, 81]) };
  return {
    ...oneOf<object>(random, [
      { hosts: [name(random)] },
      { hosts: [oneOf(random, ["*", "x.test"])], gateways: [oneOf(random, ["x", "a/y"])] },
    ]),
    http: [
      ...severalOf(random, 0, 1, () => ({ match: [match], route: [{ destination: destination(random) }] })),
      { route: [{ destination: destination(random) }], timeout: `${part(random)}s` },
    ],
  };
}

function resolver(random: Random): object {
  return oneOf<object>(random, [
    { redirect: { service: name(random) } },
    { defaultSubset: "one", subsets: { one: { filter: "Service.Meta.version == 1" } } },
    { connectTimeout: `${part(random)}s` },
    { failover: { "*": { service: name(random) } } },
  ]);
}

function defaults(random: Random): object {
  const limits = { maxConnections: part(random) };
  return oneOf<object>(random, [
    { protocol: "http", localRequestTimeoutMs: part(random) * 1000 },
    { upstreamConfig: { overrides: [{ name: name(random), limits }] } },
  ]);
}

function intentions(random: Random): object {
  return {
    destination: { name: oneOf(random, [...NAMES, "*"]) },
    sources: [
      {
        name: oneOf(random, [...NAMES, "*"]),
        ...oneOf<object>(random, [
          { action: "allow" },
          { action: "deny" },
          { permissions: [{ action: "allow", http: { pathPrefix: `/${part(random)}` } }] },
        ]),
      },
    ],
  };
}

/** The units of what such documents become, which have names of their own. */
export function foreignKeys(namespaces: readonly string[]): string[] {
  const places = namespaces.flatMap((namespace) => NAMES.map((own) => [namespace, own] as const));
  return places.flatMap(([namespace, own]) => [
    `workload:${namespace}/workloadentry.${own}`,
    ...["*", "x.test"].map((domain) => `host:${namespace}/istiogateway.${own}/http-0-0#${domain}`),
  ]);
}

/** How to draw a spec of each kind. */
export const FOREIGN_SPECS: Readonly<
  Record<string, readonly [apiVersion: string, spec: (random: Random) => object]>
> = {
  VirtualService: [ISTIO, virtualService],
  DestinationRule: [
    ISTIO,
    (random) => ({
      host: name(random),
      subsets: [{ name: oneOf(random, ["one", "two"]), labels: { version: oneOf(random, ["1", "2"]) } }],
      ...oneOf<object>(random, [
        {},
        { trafficPolicy: { outlierDetection: { consecutive5xxErrors: part(random) } } },
      ]),
    }),
  ],
  WorkloadEntry: [
    ISTIO,
    (random) => ({
      address: "93.184.216.34",
      ports: { http: part(random) },
      labels: { app: oneOf(random, ["1", "2"]) },
    }),
  ],
  IstioGateway: [
    ISTIO,
    (random) => ({
      servers: [
        {
          port: { number: oneOf(random, [80, 81]), protocol: "HTTP" },
          hosts: [oneOf(random, ["*", "./*", "b/*.test"])],
        },
      ],
    }),
  ],
  ServiceRouter: [
    CONSUL,
    (random) => ({
      routes: [
        { match: { http: { pathPrefix: `/${part(random)}` } }, destination: { service: name(random) } },
      ],
    }),
  ],
  ServiceSplitter: [
    CONSUL,
    (random) => {
      const weight = part(random);
      return { splits: [{ weight, service: name(random) }, { weight: 100 - weight }] };
    },
  ],
  ServiceResolver: [CONSUL, resolver],
  ServiceDefaults: [CONSUL, defaults],
  ServiceIntentions: [CONSUL, intentions],
};
