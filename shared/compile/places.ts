/**
 * Where endpoints are, by what their documents say.
 *
 * @module
 */
import type { Locality } from "../engine/locality.ts";
import type { Labels } from "./labels.ts";

/** Kubernetes' labels of topology: the clouds write them at nodes, and people hand them on. */
export const REGION_LABEL = "topology.kubernetes.io/region";
export const ZONE_LABEL = "topology.kubernetes.io/zone";

/** Reads `region` or `region/zone`; without a text the labels say it, if they name a region: zones are parts of one. */
export function placeOf(text: string | undefined, labels: Labels): Locality | null {
  const [region = "", zone = ""] = text?.split("/") ?? [labels[REGION_LABEL], labels[ZONE_LABEL]];
  return region === "" ? null : { region, zone };
}
