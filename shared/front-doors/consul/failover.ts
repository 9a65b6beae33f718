/**
 * A resolver's failover: what stands in for a service, or for a subset of it.
 *
 * @module
 */
import type { ServiceResolverSpec } from "../../wire/resources/consul.ts";
import { present, type Report } from "../translation.ts";
import { resolve, type Entries, type Name, type Target } from "./chain.ts";

type Failover = ServiceResolverSpec["failover"][string];
type Place = Pick<Target, "service" | "subset">;

/** Stands for the service, and for every subset without an entry of its own. */
export const ALL_SUBSETS = "*";

/** The services that a failover names, as far as they name one. */
export function standInsOf(failover: Failover, { namespace, name }: Name): Place[] {
  const targets = failover.targets ?? [failover];
  return targets.map((target) => ({
    service: { namespace: target.namespace ?? namespace, name: target.service ?? name },
    subset: target.serviceSubset ?? null,
  }));
}

/** Finds what stands in for a subset, or with `*` for the service; `undefined` when nothing does. */
export function failoverOf(
  entries: Entries,
  service: Name,
  subset: string,
  report: Report,
): readonly object[] | undefined {
  const { failover = {} } = entries.resolver(service)?.spec ?? {};
  const own = failover[subset];
  const told = own ?? failover[ALL_SUBSETS];
  if (told === undefined) return undefined;
  const targets = standInsOf(told, service).flatMap((place) => {
    const ends = resolve(entries, place);
    if (ends.length === 0) {
      report.problem(`spec.failover.${subset}`, `the chain of ${place.service.name} runs in a circle`);
    }
    return ends;
  });
  // Consul leaves a target out that is what fails.
  const others = targets.filter((target) => !isPlace(target, service, subset));
  if (others.length > 0) return others.map((target) => targetOf(target, service));
  if (own !== undefined && targets.length > 0) {
    report.problem(`spec.failover.${subset}`, "leads back to what fails");
  }
  return undefined;
}

function isPlace({ service, subset }: Place, { namespace, name }: Name, wanted: string): boolean {
  return service.namespace === namespace && service.name === name && (subset ?? ALL_SUBSETS) === wanted;
}

function targetOf({ service, subset }: Place, { namespace }: Name): object {
  return present({
    service: service.name,
    namespace: service.namespace === namespace ? undefined : service.namespace,
    subset: subset ?? undefined,
  });
}
