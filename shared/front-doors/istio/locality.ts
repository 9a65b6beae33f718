/**
 * Localities as Istio writes them: `region/zone/subzone`, with `*` for all
 * that follows.
 *
 * @module
 */
import type { DestinationTraffic } from "../../wire/resources/destination-rule.ts";
import { present } from "../translation.ts";

type Setting = NonNullable<NonNullable<DestinationTraffic["loadBalancer"]>["localityLbSetting"]>;

/** How calls are spread over places. `failoverPriority` says no more than `Prefer` does: the schema lets nothing else pass. */
export function localityOf(setting: Setting | undefined): object | undefined {
  if (setting === undefined) return undefined;
  const { enabled, distribute, failover } = setting;
  // Istio leaves all else aside then.
  if (enabled === false) return { mode: "None" };
  return present({
    mode: "Prefer",
    distribute: distribute?.map(({ from, to }) => ({
      from: patternOf(from),
      to: Object.fromEntries(Object.entries(to).map(([place, share]) => [patternOf(place), share])),
    })),
    failover,
  });
}

/** `us-west/*` is `us-west` at large. */
function patternOf(place: string): string {
  return place.replace(/(\/\*)+$/, "");
}
