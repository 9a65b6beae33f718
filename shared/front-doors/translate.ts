/**
 * Front doors: documents of other meshes, translated into the mesh's own
 * kinds. One document at a time and without a look at any other, so that they
 * may come in any order.
 *
 * @module
 */
import type { DestinationRuleSpec } from "../wire/resources/destination-rule.ts";
import type { IstioGatewaySpec } from "../wire/resources/istio-gateway.ts";
import type { ServiceEntrySpec, WorkloadEntrySpec } from "../wire/resources/service-entry.ts";
import type { VirtualServiceSpec } from "../wire/resources/virtual-service.ts";
import { translateDestinationRule } from "./istio/destination-rule.ts";
import { translateGateway } from "./istio/gateway.ts";
import { translateServiceEntry, translateWorkloadEntry } from "./istio/service-entry.ts";
import { translateVirtualService } from "./istio/virtual-service.ts";
import type { Foreign, Translation } from "./translation.ts";

/** A parsed document of a kind that is translated. The kind vouches for the spec. */
export type ForeignDocument =
  | (Foreign<VirtualServiceSpec> & { readonly kind: "VirtualService" })
  | (Foreign<DestinationRuleSpec> & { readonly kind: "DestinationRule" })
  | (Foreign<ServiceEntrySpec> & { readonly kind: "ServiceEntry" })
  | (Foreign<WorkloadEntrySpec> & { readonly kind: "WorkloadEntry" })
  | (Foreign<IstioGatewaySpec> & { readonly kind: "IstioGateway" });

const KINDS: ReadonlySet<string> = new Set<ForeignDocument["kind"]>([
  "VirtualService",
  "DestinationRule",
  "ServiceEntry",
  "WorkloadEntry",
  "IstioGateway",
]);

/** Whether a document that has been parsed is one to translate. */
export function isForeign(document: Foreign): document is ForeignDocument {
  return KINDS.has(document.kind);
}

/** What a document becomes, or why it cannot. The same document always becomes the same. */
export function translate(document: ForeignDocument): Translation {
  switch (document.kind) {
    case "VirtualService":
      return translateVirtualService(document);
    case "DestinationRule":
      return translateDestinationRule(document);
    case "ServiceEntry":
      return translateServiceEntry(document);
    case "WorkloadEntry":
      return translateWorkloadEntry(document);
    case "IstioGateway":
      return translateGateway(document);
  }
}
