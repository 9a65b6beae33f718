/**
 * EndpointSlices as members of the Service that their label names.
 *
 * @module
 */
import { parseAddress } from "../wire/address.ts";
import type { Resource } from "../wire/resource.ts";
import {
  healthOf,
  originOf,
  SERVICE_NAME,
  type EndpointSliceSpec,
} from "../wire/resources/endpoint-slice.ts";
import type { Member } from "./members.ts";
import { placeOf, REGION_LABEL, ZONE_LABEL } from "./places.ts";

/**
 * One member for each address, at the slice's first port: an endpoint answers
 * for all ports of its services. Slices that name no Service have no members.
 */
export function membersIn({ metadata, spec }: Resource<EndpointSliceSpec>): Member[] {
  const service = metadata.labels[SERVICE_NAME];
  const port = (spec.ports ?? []).find((one) => (one.protocol ?? "TCP") === "TCP")?.port ?? undefined;
  if (service === undefined || port === undefined) return [];
  const region = metadata.labels[REGION_LABEL] ?? "";
  return (spec.endpoints ?? []).flatMap((place) =>
    place.addresses.flatMap((text): Member[] => {
      const origin = originOf(text, port);
      const parsed = parseAddress(origin);
      if (!parsed.ok) return [];
      return [
        {
          source: "declared",
          name: `${metadata.name}/${text}:${port}`,
          services: [service],
          labels: {},
          address: parsed.address,
          weight: 1,
          health: healthOf(place),
          isJoined: false,
          serviceAccount: "default",
          // Kubernetes names the zone alone, and zones are parts of regions.
          locality: placeOf(undefined, { [REGION_LABEL]: region, [ZONE_LABEL]: place.zone ?? "" }),
          since: Date.parse(metadata.creationTimestamp),
        },
      ];
    }),
  );
}
