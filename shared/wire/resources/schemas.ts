/**
 * The schema of every kind's documents, and the types of their specs.
 *
 * @module
 */
import { z } from "zod";
import { label, subdomain, type Resource } from "../resource.ts";
import { authorizationPolicySpec, type AuthorizationPolicySpec } from "./authorization-policy.ts";
import { authorizationProviderSpec, type AuthorizationProviderSpec } from "./authorization-provider.ts";
import {
  serviceDefaultsSpec,
  serviceIntentionsSpec,
  serviceResolverSpec,
  serviceRouterSpec,
  serviceSplitterSpec,
  type ServiceDefaultsSpec,
  type ServiceIntentionsSpec,
  type ServiceResolverSpec,
  type ServiceRouterSpec,
  type ServiceSplitterSpec,
} from "./consul.ts";
import { backendTlsPolicySpec, type BackendTlsPolicySpec } from "./backend-tls-policy.ts";
import { endpointSpec, type EndpointSpec } from "./endpoint.ts";
import { endpointSliceFields, endpointSliceSpec, type EndpointSliceSpec } from "./endpoint-slice.ts";
import { faultPolicySpec, type FaultPolicySpec } from "./fault-policy.ts";
import { annotations, inert, labels, notYet, refused, serviceName } from "./fields.ts";
import { gatewaySpec, type GatewaySpec } from "./gateway.ts";
import { gatewayClassSpec, type GatewayClassSpec } from "./gateway-class.ts";
import { grpcRouteSpec, type GrpcRouteSpec } from "./grpc-route.ts";
import { destinationRuleSpec, type DestinationRuleSpec } from "./destination-rule.ts";
import { httpRouteSpec, type HttpRouteSpec } from "./http-route.ts";
import { istioGatewaySpec, type IstioGatewaySpec } from "./istio-gateway.ts";
import { findKind } from "./kinds.ts";
import { listenerSetSpec, type ListenerSetSpec } from "./listener-set.ts";
import { peerAuthenticationSpec, type PeerAuthenticationSpec } from "./peer-authentication.ts";
import { rateLimitPolicySpec, type RateLimitPolicySpec } from "./rate-limit-policy.ts";
import { referenceGrantSpec, type ReferenceGrantSpec } from "./references.ts";
import { requestAuthenticationSpec, type RequestAuthenticationSpec } from "./request-authentication.ts";
import { configMapFields, inspectValues, secretFields, type HeldValues } from "./secret.ts";
import {
  serviceEntrySpec,
  workloadEntrySpec,
  type ServiceEntrySpec,
  type WorkloadEntrySpec,
} from "./service-entry.ts";
import {
  namespaceSpec,
  serviceAccountSpec,
  serviceSpec,
  type NamespaceSpec,
  type ServiceSpec,
} from "./service.ts";
import { tcpRouteSpec, tlsRouteSpec, type TcpRouteSpec, type TlsRouteSpec } from "./stream-route.ts";
import { trafficPolicySpec, type TrafficPolicySpec } from "./traffic-policy.ts";
import { virtualServiceSpec, type VirtualServiceSpec } from "./virtual-service.ts";

/** The spec of each kind, with defaults filled in. */
export interface SpecOf {
  readonly Namespace: NamespaceSpec;
  readonly Service: ServiceSpec;
  readonly ServiceAccount: object;
  readonly Endpoint: EndpointSpec;
  readonly Gateway: GatewaySpec;
  readonly GatewayClass: GatewayClassSpec;
  readonly ListenerSet: ListenerSetSpec;
  readonly HTTPRoute: HttpRouteSpec;
  readonly GRPCRoute: GrpcRouteSpec;
  readonly TLSRoute: TlsRouteSpec;
  readonly TCPRoute: TcpRouteSpec;
  readonly ReferenceGrant: ReferenceGrantSpec;
  readonly BackendTLSPolicy: BackendTlsPolicySpec;
  readonly EndpointSlice: EndpointSliceSpec;
  readonly Secret: HeldValues;
  readonly ConfigMap: HeldValues;
  readonly AuthorizationPolicy: AuthorizationPolicySpec;
  readonly AuthorizationProvider: AuthorizationProviderSpec;
  readonly PeerAuthentication: PeerAuthenticationSpec;
  readonly RequestAuthentication: RequestAuthenticationSpec;
  readonly TrafficPolicy: TrafficPolicySpec;
  readonly RateLimitPolicy: RateLimitPolicySpec;
  readonly FaultPolicy: FaultPolicySpec;
  readonly VirtualService: VirtualServiceSpec;
  readonly DestinationRule: DestinationRuleSpec;
  readonly ServiceEntry: ServiceEntrySpec;
  readonly WorkloadEntry: WorkloadEntrySpec;
  readonly IstioGateway: IstioGatewaySpec;
  readonly ServiceRouter: ServiceRouterSpec;
  readonly ServiceSplitter: ServiceSplitterSpec;
  readonly ServiceResolver: ServiceResolverSpec;
  readonly ServiceDefaults: ServiceDefaultsSpec;
  readonly ServiceIntentions: ServiceIntentionsSpec;
}

/** The kinds that documents may have. */
export type Kind = keyof SpecOf;

/** Tells a stored resource's kind. Whatever is stored has been parsed, so that the kind vouches for the spec. */
export function isKind<K extends Kind>(resource: Resource, kind: K): resource is Resource<SpecOf[K]> {
  return resource.kind === kind;
}

/** Kubernetes writes these; they are dropped, so that what kubectl prints applies unchanged. */
const serverSide = {
  uid: inert,
  resourceVersion: inert,
  generation: inert,
  creationTimestamp: inert,
  deletionTimestamp: inert,
  managedFields: inert,
  ownerReferences: inert,
  finalizers: inert,
  selfLink: inert,
};

function documentOf<Spec extends z.ZodType>(kind: Kind, name: z.ZodString, spec: Spec) {
  const info = findKind(kind);
  const accepts = info?.accepts ?? [];
  return z.strictObject({
    apiVersion: z.enum(accepts, { error: `must be ${accepts.join(" or ")}` }),
    kind: z.literal(kind),
    metadata: z.strictObject({
      name,
      namespace:
        info?.isNamespaced === false ? refused("this kind has no namespace; leave it out") : label.optional(),
      labels: labels.nullable().optional(),
      annotations: annotations.nullable().optional(),
      generateName: notYet("names that the server makes; write name"),
      ...serverSide,
    }),
    spec,
    status: inert,
  });
}

/** Kubernetes' ServiceAccount has its fields beside `metadata`. They are about pods and dropped. */
const serviceAccountDocument = documentOf("ServiceAccount", subdomain, serviceAccountSpec.default({})).extend(
  {
    secrets: inert,
    imagePullSecrets: inert,
    automountServiceAccountToken: inert,
  },
);

/** Kubernetes' EndpointSlice has its fields beside `metadata`; kept and printed under `spec`, it applies as well. */
const endpointSliceDocument = documentOf("EndpointSlice", subdomain, inert)
  .extend(endpointSliceFields)
  .superRefine(({ spec, addressType }, context) => {
    if (spec !== undefined || addressType !== undefined) return;
    context.addIssue({
      code: "custom",
      path: ["addressType"],
      message: "is required: write IPv4, IPv6 or FQDN",
    });
  })
  .transform(({ spec, addressType = "IPv4", endpoints, ports, ...rest }) => ({
    ...rest,
    spec: spec ?? endpointSliceSpec.parse({ addressType, endpoints, ports }),
  }));

/** kubectl keeps the whole document, values and all, in an annotation. */
function withoutCopies(
  given: Readonly<Record<string, string>> | null | undefined,
): Readonly<Record<string, string>> {
  const { "kubectl.kubernetes.io/last-applied-configuration": _copy, ...others } = given ?? {};
  return others;
}

const secretDocument = documentOf("Secret", subdomain, inert)
  .extend(secretFields)
  .transform(({ spec, data, stringData, metadata, ...rest }) => ({
    ...rest,
    metadata: { ...metadata, annotations: withoutCopies(metadata.annotations) },
    spec: inspectValues({ plain: stringData, encoded: data }, spec),
  }));

const configMapDocument = documentOf("ConfigMap", subdomain, inert)
  .extend(configMapFields)
  .transform(({ spec, data, binaryData, metadata, ...rest }) => ({
    ...rest,
    metadata: { ...metadata, annotations: withoutCopies(metadata.annotations) },
    spec: inspectValues({ plain: data, encoded: binaryData }, spec),
  }));

/** Kind → schema of its documents. Strict: an unknown field is an error. */
export const documentSchemas = {
  Namespace: documentOf("Namespace", label, namespaceSpec.default({})),
  Service: documentOf("Service", serviceName, serviceSpec),
  ServiceAccount: serviceAccountDocument,
  Endpoint: documentOf("Endpoint", subdomain, endpointSpec),
  Gateway: documentOf("Gateway", subdomain, gatewaySpec),
  GatewayClass: documentOf("GatewayClass", subdomain, gatewayClassSpec),
  ListenerSet: documentOf("ListenerSet", subdomain, listenerSetSpec),
  HTTPRoute: documentOf("HTTPRoute", subdomain, httpRouteSpec),
  GRPCRoute: documentOf("GRPCRoute", subdomain, grpcRouteSpec),
  TLSRoute: documentOf("TLSRoute", subdomain, tlsRouteSpec),
  TCPRoute: documentOf("TCPRoute", subdomain, tcpRouteSpec),
  ReferenceGrant: documentOf("ReferenceGrant", subdomain, referenceGrantSpec),
  BackendTLSPolicy: documentOf("BackendTLSPolicy", subdomain, backendTlsPolicySpec),
  EndpointSlice: endpointSliceDocument,
  Secret: secretDocument,
  ConfigMap: configMapDocument,
  AuthorizationPolicy: documentOf(
    "AuthorizationPolicy",
    subdomain,
    authorizationPolicySpec.default({ action: "ALLOW", rules: [] }),
  ),
  AuthorizationProvider: documentOf("AuthorizationProvider", subdomain, authorizationProviderSpec),
  PeerAuthentication: documentOf(
    "PeerAuthentication",
    subdomain,
    peerAuthenticationSpec.default({ mtls: { mode: "UNSET" } }),
  ),
  RequestAuthentication: documentOf(
    "RequestAuthentication",
    subdomain,
    requestAuthenticationSpec.default({ jwtRules: [] }),
  ),
  TrafficPolicy: documentOf("TrafficPolicy", subdomain, trafficPolicySpec),
  RateLimitPolicy: documentOf("RateLimitPolicy", subdomain, rateLimitPolicySpec),
  FaultPolicy: documentOf("FaultPolicy", subdomain, faultPolicySpec),
  VirtualService: documentOf("VirtualService", subdomain, virtualServiceSpec),
  DestinationRule: documentOf("DestinationRule", subdomain, destinationRuleSpec),
  ServiceEntry: documentOf("ServiceEntry", subdomain, serviceEntrySpec),
  WorkloadEntry: documentOf("WorkloadEntry", subdomain, workloadEntrySpec),
  IstioGateway: documentOf("IstioGateway", subdomain, istioGatewaySpec),
  ServiceRouter: documentOf("ServiceRouter", serviceName, serviceRouterSpec),
  ServiceSplitter: documentOf("ServiceSplitter", serviceName, serviceSplitterSpec),
  ServiceResolver: documentOf("ServiceResolver", serviceName, serviceResolverSpec),
  ServiceDefaults: documentOf("ServiceDefaults", serviceName, serviceDefaultsSpec),
  ServiceIntentions: documentOf("ServiceIntentions", subdomain, serviceIntentionsSpec),
} as const satisfies Record<Kind, z.ZodType>;

/** Whether documents of this kind are known. */
export function isKnownKind(kind: string): kind is Kind {
  return Object.hasOwn(documentSchemas, kind);
}
