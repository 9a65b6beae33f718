/**
 * Consul's config entries of one service into an HTTPRoute and a TrafficPolicy.
 *
 * @module
 */
import {
  conclude,
  derivedName,
  documentOf,
  openReport,
  type Foreign,
  type OwnDocument,
  type Translation,
} from "../translation.ts";
import type { Entries, Name } from "./chain.ts";
import { trafficOf } from "./resolver.ts";
import { rulesOf } from "./router.ts";
import { reportOnUpstreams } from "./upstream.ts";

/**
 * Translates the chain of a service. Both documents are named after it, like
 * `consul.web`, and one that would say nothing is left out.
 */
export function translateChain(entries: Entries, service: Name): Translation {
  const origin: Foreign = { kind: "Consul", metadata: service, spec: {} };
  const report = openReport(origin);
  const name = derivedName(origin);
  const documents: OwnDocument[] = [];
  const rules = rulesOf(entries, service, report);
  if (rules.length > 0) {
    const parentRefs = [{ group: "", kind: "Service", name: service.name }];
    documents.push(
      documentOf(origin, { kind: "HTTPRoute", name, spec: { parentRefs, order: "Listed", rules } }),
    );
  }
  reportOnUpstreams(entries, service, report);
  const traffic = trafficOf(entries, service, report);
  if (traffic !== undefined)
    documents.push(documentOf(origin, { kind: "TrafficPolicy", name, spec: traffic }));
  return conclude(report, documents);
}
