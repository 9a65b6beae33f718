import { describe, expect, test } from "vitest";
import { statusOf } from "../../shared/compile/conditions.ts";
import { createWorld, put } from "../../shared/compile/world.ts";
import type { Resource } from "../../shared/wire/resource.ts";
import { parseYaml, store, TRUST_DOMAIN } from "./worlds.ts";

interface Told {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly observedGeneration: number;
}

/** Conditions by type: `True Accepted`. */
type Summary = Readonly<Record<string, string>>;

interface ParentStatus {
  readonly conditions: readonly Told[];
}

interface Status {
  readonly conditions?: readonly Told[];
  readonly parents?: readonly ParentStatus[];
  readonly ancestors?: readonly (ParentStatus & { readonly ancestorRef: { readonly name: string } })[];
  readonly listeners?: readonly (ParentStatus & {
    readonly name: string;
    readonly attachedRoutes: number;
    readonly supportedKinds: readonly { readonly kind: string }[];
  })[];
  readonly attachedListenerSets?: number;
}

function summary(conditions: readonly Told[]): Summary {
  return Object.fromEntries(conditions.map(({ type, status, reason }) => [type, `${status} ${reason}`]));
}

/** The status of `Kind name` in a world of these documents, each older than the next. */
function statusIn(yaml: string, wanted: string): Status {
  const world = createWorld({ trustDomain: TRUST_DOMAIN });
  const resources = parseYaml(yaml).map((parsed, age) => store(parsed, age));
  resources.forEach((resource) => put(world, resource));
  const found = resources.find(({ kind, metadata }) => `${kind} ${metadata.name}` === wanted);
  const status: unknown = found === undefined ? null : statusOf(world, found);
  return status as Status;
}

const meta = (name: string, namespace = "shop") => `metadata: {name: ${name}, namespace: ${namespace}}`;
const api = "apiVersion: gateway.networking.k8s.io/v1";
const all = (...documents: readonly string[]) => documents.join("\n---\n");

const gateway = (listeners: string, more = "") =>
  `{${api}, kind: Gateway, ${meta("gw")}, spec: {gatewayClassName: x, listeners: [${listeners}]${more}}}`;
const listenerSet = (name: string, listeners: string, namespace = "shop") =>
  `{${api}, kind: ListenerSet, ${meta(name, namespace)}, spec: {parentRef: {name: gw, namespace: shop}, listeners: [${listeners}]}}`;
const route = (spec: string, namespace = "shop", kind = "HTTPRoute") =>
  `{${api}, kind: ${kind}, ${meta("r", namespace)}, spec: ${spec}}`;
const service = (name: string, namespace = "shop") =>
  `{apiVersion: v1, kind: Service, ${meta(name, namespace)}, spec: {ports: [{name: web, port: 80}]}}`;
const grant = (to: string, kind = "HTTPRoute") =>
  `{${api}, kind: ReferenceGrant, ${meta("g", "other")}, spec: {from: [{group: gateway.networking.k8s.io, kind: ${kind}, namespace: shop}], to: [${to}]}}`;
const secret = (namespace: string, crt: string) =>
  `{apiVersion: v1, kind: Secret, ${meta("cert", namespace)}, stringData: {tls.crt: ${crt}, tls.key: "-----BEGIN PRIVATE KEY-----\\nMIIB\\n-----END PRIVATE KEY-----"}}`;
const PEM = '"-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----"';
const WEB = "{name: web, port: 80, protocol: HTTP}";
const TLS = (ref: string) =>
  `{name: tls, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert${ref}}]}}`;

describe("a route at a Gateway", () => {
  const TO_A = "rules: [{backendRefs: [{name: a, port: 80}]}]";
  const AT_GW = "parentRefs: [{name: gw}]";
  const GOOD = { Accepted: "True Accepted", ResolvedRefs: "True ResolvedRefs" };
  test.each<[string, readonly string[], Summary]>([
    ["is accepted", [gateway(WEB), service("a"), route(`{${AT_GW}, ${TO_A}}`)], GOOD],
    [
      "that does not exist",
      [service("a"), route(`{${AT_GW}, ${TO_A}}`)],
      { ...GOOD, Accepted: "False NoMatchingParent" },
    ],
    [
      "without a listener of the name",
      [gateway(WEB), service("a"), route(`{parentRefs: [{name: gw, sectionName: no}], ${TO_A}}`)],
      { ...GOOD, Accepted: "False NoMatchingParent" },
    ],
    [
      "of another namespace",
      [
        gateway(WEB),
        service("a", "other"),
        route(`{parentRefs: [{name: gw, namespace: shop}], ${TO_A}}`, "other"),
      ],
      { ...GOOD, Accepted: "False NotAllowedByListeners" },
    ],
    [
      "whose hosts are others",
      [
        gateway("{name: web, port: 80, protocol: HTTP, hostname: a.test}"),
        service("a"),
        route(`{${AT_GW}, hostnames: [b.test], ${TO_A}}`),
      ],
      { ...GOOD, Accepted: "False NoMatchingListenerHostname" },
    ],
    [
      "closest to taking it counts",
      [
        gateway(
          `{name: web, port: 80, protocol: HTTP, hostname: a.test}, {name: tcp, port: 81, protocol: TCP}`,
        ),
        service("a"),
        route(`{${AT_GW}, hostnames: [b.test], ${TO_A}}`),
      ],
      { ...GOOD, Accepted: "False NoMatchingListenerHostname" },
    ],
    [
      "with a backend of no known kind",
      [gateway(WEB), route(`{${AT_GW}, rules: [{backendRefs: [{name: a, kind: Pod, port: 80}]}]}`)],
      { ...GOOD, ResolvedRefs: "False InvalidKind" },
    ],
    [
      "with a backend that is missing",
      [gateway(WEB), route(`{${AT_GW}, ${TO_A}}`)],
      { ...GOOD, ResolvedRefs: "False BackendNotFound" },
    ],
    [
      "with a mirror that is missing",
      [
        gateway(WEB),
        service("a"),
        route(
          `{${AT_GW}, rules: [{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: b, port: 80}}}], backendRefs: [{name: a, port: 80}]}]}`,
        ),
      ],
      { ...GOOD, ResolvedRefs: "False BackendNotFound" },
    ],
    [
      "with a backend elsewhere, not granted",
      [
        gateway(WEB),
        service("a", "other"),
        grant("{group: '', kind: Service, name: b}"),
        route(`{${AT_GW}, rules: [{backendRefs: [{name: a, namespace: other, port: 80}]}]}`),
      ],
      { ...GOOD, ResolvedRefs: "False RefNotPermitted" },
    ],
    [
      "with a backend elsewhere, granted",
      [
        gateway(WEB),
        service("a", "other"),
        grant("{group: '', kind: Service}"),
        route(`{${AT_GW}, rules: [{backendRefs: [{name: a, namespace: other, port: 80}]}]}`),
      ],
      GOOD,
    ],
    [
      "with a grant for another kind of route",
      [
        gateway(WEB),
        service("a", "other"),
        grant("{group: '', kind: Service}", "GRPCRoute"),
        route(`{${AT_GW}, rules: [{backendRefs: [{name: a, namespace: other, port: 80}]}]}`),
      ],
      { ...GOOD, ResolvedRefs: "False RefNotPermitted" },
    ],
  ])("%s", (_name, documents, expected) => {
    const { parents = [] } = statusIn(all(...documents), "HTTPRoute r");
    expect(parents.map(({ conditions }) => summary(conditions))).toEqual([expected]);
  });
});

test.each([
  ["sectionName: web", "True Accepted"],
  ["port: 80", "True Accepted"],
  ["sectionName: web, port: 81", "False NoMatchingParent"],
  ["sectionName: no", "False NoMatchingParent"],
])("a route at a Service's port (%s): %s; inside the mesh no grant is needed", (part, accepted) => {
  const spec = `{parentRefs: [{group: '', kind: Service, name: a, ${part}}], rules: [{backendRefs: [{name: b, namespace: other, port: 80}]}]}`;
  const { parents = [] } = statusIn(all(service("a"), service("b", "other"), route(spec)), "HTTPRoute r");
  expect(parents.map(({ conditions }) => summary(conditions))).toEqual([
    { Accepted: accepted, ResolvedRefs: "True ResolvedRefs" },
  ]);
});

describe("a listener", () => {
  const FINE = {
    Accepted: "True Accepted",
    Programmed: "True Programmed",
    ResolvedRefs: "True ResolvedRefs",
    Conflicted: "False NoConflicts",
  };
  const UNRESOLVED = { ...FINE, Programmed: "False Invalid" };
  test.each<[string, readonly string[], Summary, readonly [number, ...string[]]]>([
    [
      "takes routes",
      [gateway(WEB), route("{parentRefs: [{name: gw}]}"), route("{parentRefs: [{name: gw}]}", "other")],
      FINE,
      [1, "HTTPRoute", "GRPCRoute"],
    ],
    [
      "of an unknown protocol",
      [gateway("{name: web, port: 80, protocol: SCTP}")],
      { ...UNRESOLVED, Accepted: "False UnsupportedProtocol" },
      [0],
    ],
    [
      "that allows kinds it cannot carry",
      [
        gateway(
          "{name: web, port: 80, protocol: HTTP, allowedRoutes: {kinds: [{kind: TCPRoute}, {kind: GRPCRoute}]}}",
        ),
      ],
      { ...FINE, ResolvedRefs: "False InvalidRouteKinds" },
      [0, "GRPCRoute"],
    ],
    [
      "without its certificate",
      [gateway(TLS(""))],
      { ...UNRESOLVED, ResolvedRefs: "False InvalidCertificateRef" },
      [0, "HTTPRoute", "GRPCRoute"],
    ],
    [
      "with a certificate that is none",
      [gateway(TLS("")), secret("shop", "hello")],
      { ...UNRESOLVED, ResolvedRefs: "False InvalidCertificateRef" },
      [0, "HTTPRoute", "GRPCRoute"],
    ],
    ["with its certificate", [gateway(TLS("")), secret("shop", PEM)], FINE, [0, "HTTPRoute", "GRPCRoute"]],
    [
      "with a certificate elsewhere, not granted",
      [gateway(TLS(", namespace: other")), secret("other", PEM)],
      { ...UNRESOLVED, ResolvedRefs: "False RefNotPermitted" },
      [0, "HTTPRoute", "GRPCRoute"],
    ],
    [
      "with a certificate elsewhere, granted",
      [
        gateway(TLS(", namespace: other")),
        secret("other", PEM),
        grant("{group: '', kind: Secret}", "Gateway"),
      ],
      FINE,
      [0, "HTTPRoute", "GRPCRoute"],
    ],
    [
      "that demands client certificates takes no requests",
      [
        gateway(
          TLS(""),
          ", tls: {frontend: {default: {validation: {caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}]}}}}",
        ),
        secret("shop", PEM),
        `{apiVersion: v1, kind: ConfigMap, ${meta("ca")}, data: {ca.crt: ${PEM}}}`,
      ],
      { ...FINE, Programmed: "False Pending" },
      [0, "HTTPRoute", "GRPCRoute"],
    ],
  ])("%s", (_name, documents, conditions, [attachedRoutes, ...kinds]) => {
    const [listener] = statusIn(all(...documents), "Gateway gw").listeners ?? [];
    expect(listener && summary(listener.conditions)).toEqual(conditions);
    expect(listener?.supportedKinds.map(({ kind }) => kind)).toEqual(kinds);
    expect(listener?.attachedRoutes).toBe(attachedRoutes);
  });
});

test.each([
  [WEB, "True Accepted", "True Programmed"],
  [`${WEB}, {name: x, port: 81, protocol: SCTP}`, "True ListenersNotValid", "True Programmed"],
  ["{name: x, port: 81, protocol: SCTP}", "False ListenersNotValid", "False Invalid"],
  [
    "{name: x, port: 80, protocol: HTTP}, {name: y, port: 80, protocol: TCP}",
    "False ListenersNotValid",
    "False Invalid",
  ],
])("a Gateway with the listeners %s is accepted: %s", (listeners, accepted, programmed) => {
  const { conditions = [] } = statusIn(gateway(listeners), "Gateway gw");
  expect(summary(conditions)).toEqual({
    Accepted: accepted,
    Programmed: programmed,
    ResolvedRefs: "True ResolvedRefs",
  });
});

const OPEN = ", allowedListeners: {namespaces: {from: Same}}";
const at = (host: string) => `{name: web, port: 80, protocol: HTTP, hostname: ${host}}`;
const accepted = (status: Status) => summary(status.conditions ?? [])["Accepted"];

describe("listener sets", () => {
  test("are refused unless the Gateway lets them in", () => {
    const closed = all(gateway(WEB), listenerSet("s", at("a.test")));
    expect(accepted(statusIn(closed, "ListenerSet s"))).toBe("False NotAllowed");
    const foreign = all(gateway(WEB, OPEN), listenerSet("s", at("a.test"), "other"));
    expect(accepted(statusIn(foreign, "ListenerSet s"))).toBe("False NotAllowed");
    expect(accepted(statusIn(listenerSet("s", at("a.test")), "ListenerSet s"))).toBe(
      "False ParentNotAccepted",
    );
  });

  test("of two for one place the older has it, and the Gateway before both", () => {
    const mesh = all(
      gateway(at("own.test"), OPEN),
      listenerSet("older", at("a.test")),
      listenerSet("newer", at("a.test")),
      listenerSet("late", at("own.test")),
    );
    const told = ["older", "newer", "late"].map((name) => accepted(statusIn(mesh, `ListenerSet ${name}`)));
    expect(told).toEqual(["True Accepted", "False ListenersNotValid", "False ListenersNotValid"]);
    expect(statusIn(mesh, "Gateway gw").attachedListenerSets).toBe(1);
    const [listener] = statusIn(mesh, "ListenerSet newer").listeners ?? [];
    expect(listener && summary(listener.conditions)).toEqual({
      Accepted: "False HostnameConflict",
      Programmed: "False HostnameConflict",
      ResolvedRefs: "True ResolvedRefs",
      Conflicted: "True HostnameConflict",
    });
  });

  test("take routes that name them, and not those of the Gateway", () => {
    const mesh = all(
      gateway(at("own.test"), OPEN),
      listenerSet("s", at("a.test")),
      route("{parentRefs: [{kind: ListenerSet, name: s}]}"),
    );
    expect(statusIn(mesh, "ListenerSet s").listeners?.[0]?.attachedRoutes).toBe(1);
    expect(statusIn(mesh, "Gateway gw").listeners?.[0]?.attachedRoutes).toBe(0);
  });
});

test("a BackendTLSPolicy tells through which Gateways its target is called", () => {
  const policy = `{${api}, kind: BackendTLSPolicy, ${meta("p")}, spec: {targetRefs: [{group: '', kind: Service, name: a}], validation: {hostname: a.test, caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}]}}}`;
  const mesh = all(
    gateway(WEB),
    service("a"),
    route("{parentRefs: [{name: gw}], rules: [{backendRefs: [{name: a, port: 80}]}]}"),
    policy,
  );
  const { ancestors = [] } = statusIn(mesh, "BackendTLSPolicy p");
  expect(ancestors.map(({ ancestorRef, conditions }) => [ancestorRef.name, summary(conditions)])).toEqual([
    ["gw", { Accepted: "False NoValidCACertificate", ResolvedRefs: "False InvalidCACertificateRef" }],
  ]);
});

test("conditions are of the generation that was looked at", () => {
  const world = createWorld({ trustDomain: TRUST_DOMAIN });
  const [parsed] = parseYaml(gateway(WEB)).map((one) => store(one, 0));
  const resource: Resource = { ...parsed, metadata: { ...parsed?.metadata, generation: 7 } } as Resource;
  put(world, resource);
  const { conditions = [], listeners = [] } = statusOf(world, resource) as Status;
  const generations = [...conditions, ...listeners.flatMap((one) => one.conditions)].map(
    ({ observedGeneration }) => observedGeneration,
  );
  expect(new Set(generations)).toEqual(new Set([7]));
});

test("kinds that nobody judges have no status", () => {
  expect(statusIn(service("a"), "Service a")).toBeNull();
});
