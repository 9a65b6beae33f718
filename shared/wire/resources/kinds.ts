/**
 * The kinds of resources: how they are named, in documents and at a prompt.
 *
 * @module
 */

/** What tools need to know of a kind. */
export interface KindInfo {
  readonly kind: string;
  /** The group and version under which it is stored. */
  readonly apiVersion: string;
  /** Every apiVersion in which documents may name it, `apiVersion` first. */
  readonly accepts: readonly string[];
  /** In lower case, as in `get services`. */
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly isNamespaced: boolean;
}

const ISTIO = ["security.istio.io/v1", "security.istio.io/v1beta1", "selvedge.dev/v1"];
const GATEWAY_GROUP = "gateway.networking.k8s.io";
const GATEWAY = ["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"];
const OURS = ["selvedge.dev/v1"];
const ISTIO_NETWORKING = [
  "networking.istio.io/v1",
  "networking.istio.io/v1beta1",
  "networking.istio.io/v1alpha3",
];
const CONSUL = ["consul.hashicorp.com/v1alpha1"];

const KINDS: readonly KindInfo[] = [
  define("Namespace", ["v1"], ["namespaces", "ns"], false),
  define("Service", ["v1"], ["services", "svc"]),
  define("ServiceAccount", ["v1"], ["serviceaccounts", "sa"]),
  define("Endpoint", OURS, ["endpoints", "ep"]),
  define("Gateway", GATEWAY, ["gateways", "gtw"]),
  define("GatewayClass", GATEWAY, ["gatewayclasses", "gc"], false),
  define("ListenerSet", GATEWAY, ["listenersets", "lset"]),
  define("HTTPRoute", GATEWAY, ["httproutes"]),
  define("GRPCRoute", [...GATEWAY, `${GATEWAY_GROUP}/v1alpha2`], ["grpcroutes"]),
  define(
    "TLSRoute",
    [`${GATEWAY_GROUP}/v1`, `${GATEWAY_GROUP}/v1alpha3`, `${GATEWAY_GROUP}/v1alpha2`],
    ["tlsroutes"],
  ),
  define("TCPRoute", [`${GATEWAY_GROUP}/v1alpha2`, `${GATEWAY_GROUP}/v1`], ["tcproutes"]),
  define("ReferenceGrant", GATEWAY, ["referencegrants", "refgrant"]),
  define(
    "BackendTLSPolicy",
    [`${GATEWAY_GROUP}/v1`, `${GATEWAY_GROUP}/v1alpha3`],
    ["backendtlspolicies", "btlspolicy"],
  ),
  define("EndpointSlice", ["discovery.k8s.io/v1", "discovery.k8s.io/v1beta1"], ["endpointslices"]),
  define("Secret", ["v1"], ["secrets"]),
  define("ConfigMap", ["v1"], ["configmaps", "cm"]),
  define("AuthorizationPolicy", ISTIO, ["authorizationpolicies", "ap"]),
  define("AuthorizationProvider", OURS, ["authorizationproviders"]),
  define("PeerAuthentication", ISTIO, ["peerauthentications", "pa"]),
  define("RequestAuthentication", ISTIO, ["requestauthentications", "ra"]),
  define("TrafficPolicy", OURS, ["trafficpolicies", "tp"]),
  define("RateLimitPolicy", OURS, ["ratelimitpolicies", "rlp"]),
  define("FaultPolicy", OURS, ["faultpolicies", "fp"]),
  // Kept as they came; what they become is compiled.
  define("VirtualService", ISTIO_NETWORKING, ["virtualservices", "vs"]),
  define("DestinationRule", ISTIO_NETWORKING, ["destinationrules", "dr"]),
  define("ServiceEntry", ISTIO_NETWORKING, ["serviceentries", "se"]),
  define("WorkloadEntry", ISTIO_NETWORKING, ["workloadentries", "we"]),
  // Documents say `kind: Gateway`.
  define("IstioGateway", ISTIO_NETWORKING, ["istiogateways", "gw"]),
  define("ServiceRouter", CONSUL, ["servicerouters"]),
  define("ServiceSplitter", CONSUL, ["servicesplitters"]),
  define("ServiceResolver", CONSUL, ["serviceresolvers"]),
  define("ServiceDefaults", CONSUL, ["servicedefaults"]),
  define("ServiceIntentions", CONSUL, ["serviceintentions"]),
];

function define(
  kind: string,
  accepts: readonly string[],
  [plural = "", ...shortNames]: readonly string[],
  isNamespaced = true,
): KindInfo {
  return { kind, apiVersion: accepts[0] ?? "", accepts, plural, shortNames, isNamespaced };
}

/** Every kind that documents may have. Kind names are unique. */
export function kindsOf(): readonly KindInfo[] {
  return KINDS;
}

/** The kind that a person means by `HTTPRoute`, `httproute`, `httproutes` or a short name. */
export function findKind(name: string): KindInfo | undefined {
  const wanted = name.toLowerCase();
  return KINDS.find(
    ({ kind, plural, shortNames }) =>
      kind.toLowerCase() === wanted || plural === wanted || shortNames.includes(wanted),
  );
}
