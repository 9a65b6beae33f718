/**
 * Localities: where hosts and endpoints are, and which endpoints a call
 * prefers.
 *
 * @module
 */

/** A place, from wide to narrow. Compared without regard to case. */
export interface Locality {
  /** Such as `eu-west-1`; of a host on Cloudflare its continent, such as `EU`. */
  readonly region: string;
  /** Such as `eu-west-1a`, or a Cloudflare data centre such as `FRA`. Empty: the region at large. */
  readonly zone: string;
}

/** How calls are spread over the localities of a service's endpoints. */
export interface LocalityPolicy {
  /**
   * `prefer`: an endpoint in the host's zone before one in its region before any other, as in
   * Istio. `none`: every endpoint alike. Without a known place of host or endpoints both are the same.
   */
  readonly mode: "prefer" | "none";
  /** Which region comes next after the host's own, by the host's region, before all others (Istio's `failover`). */
  readonly failover: readonly { readonly from: string; readonly to: string }[];
  /** Shares by the host's locality, in place of preference (Istio's `distribute`). The first that matches counts. */
  readonly distribute: readonly Distribution[];
  /**
   * How many times its healthy share a group of endpoints is believed to carry: with 1.4, Envoy's
   * default, calls overflow to the next group once less than 71 % are healthy. At least 1.
   */
  readonly overprovisioning: number;
  /** How long calls take to come back in full to a preferred group that recovered; 0: at once. */
  readonly returnMs: number;
}

/** What holds where no policy says otherwise. */
export const DEFAULT_LOCALITY: LocalityPolicy = {
  mode: "prefer",
  failover: [],
  distribute: [],
  overprovisioning: 1.4,
  returnMs: 10_000,
};

/** A pattern of localities: `region`, `region/zone`, or `*` for all. */
export type LocalityPattern = string;

export interface Distribution {
  readonly from: LocalityPattern;
  /** Shares by pattern; they sum to 100. */
  readonly to: readonly { readonly locality: LocalityPattern; readonly weight: number }[];
}
