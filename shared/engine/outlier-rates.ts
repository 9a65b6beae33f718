/**
 * The two detectors that compare endpoints by their rates of success.
 *
 * @module
 */
import type { Counts, Splitting } from "./outlier-counts.ts";

/** The part of a policy that is about rates. */
export interface RatePolicy {
  /** Ejects below the mean success rate minus a multiple of its standard deviation. `null`: off. */
  readonly successRate: SuccessRate | null;
  /** Ejects at a share of failures. `null`: off, as in Envoy. */
  readonly failurePercentage: FailurePercentage | null;
}

export interface SuccessRate {
  /** Endpoints with enough calls below which nobody is compared. Envoy: 5. */
  readonly minEndpoints: number;
  /** Calls in an interval below which an endpoint is not looked at. Envoy: 100. */
  readonly minVolume: number;
  /** Envoy: 1.9. */
  readonly stdevFactor: number;
}

export interface FailurePercentage {
  /** Failures in percent from which on an endpoint is ejected. Envoy: 85. */
  readonly threshold: number;
  /** Envoy: 5. */
  readonly minEndpoints: number;
  /** Envoy: 50. */
  readonly minVolume: number;
}

/** One endpoint's rate. */
export interface Rated {
  readonly endpoint: string;
  readonly calls: number;
  /** Of successes, in percent. */
  readonly rate: number;
}

/** What counts as a call and what as its failure. */
type View = (counts: Counts) => { readonly calls: number; readonly failures: number };

/** Each view is judged by itself: getting an answer apart from what it says, where the policy splits them. None without a detector. */
export function viewsOf(policy: RatePolicy & Splitting): readonly View[] {
  if (policy.successRate === null && policy.failurePercentage === null) return [];
  return policy.splitsLocalFailures ? [ofAnswers, ofReaching] : [ofAll];
}

/** The rate of an endpoint; one that was not called has succeeded always. */
export function rate(endpoint: string, counts: Counts, view: View): Rated {
  const { calls, failures } = view(counts);
  return { endpoint, calls, rate: calls === 0 ? 100 : (100 * (calls - failures)) / calls };
}

/** The endpoints that a detector is against, the worst first. */
export function outliers(rated: readonly Rated[], policy: RatePolicy): readonly string[] {
  const found = new Set([
    ...belowMean(rated, policy.successRate),
    ...failing(rated, policy.failurePercentage),
  ]);
  return [...found].sort((a, b) => a.rate - b.rate).map(({ endpoint }) => endpoint);
}

/** The mean of success rates, and what is too far below it: by a multiple of the population's standard deviation. */
export function successRateThreshold(
  rates: readonly number[],
  stdevFactor: number,
): { readonly average: number; readonly threshold: number } {
  const average = mean(rates);
  const deviation = Math.sqrt(mean(rates.map((rate) => (rate - average) ** 2)));
  return { average, threshold: average - stdevFactor * deviation };
}

function ofAll({ calls, serverErrors, localFailures }: Counts): ReturnType<View> {
  return { calls, failures: serverErrors + localFailures };
}

function ofAnswers({ calls, serverErrors, localFailures }: Counts): ReturnType<View> {
  return { calls: calls - localFailures, failures: serverErrors };
}

function ofReaching({ calls, localFailures }: Counts): ReturnType<View> {
  return { calls, failures: localFailures };
}

/** Rounding must not put equal endpoints below their own mean. */
const EPSILON = 1e-9;

function belowMean(rated: readonly Rated[], policy: SuccessRate | null): readonly Rated[] {
  const known = enough(rated, policy);
  if (policy === null || known.length === 0) return [];
  const { threshold } = successRateThreshold(
    known.map((each) => each.rate),
    policy.stdevFactor,
  );
  return known.filter((each) => each.rate < threshold - EPSILON);
}

function failing(rated: readonly Rated[], policy: FailurePercentage | null): readonly Rated[] {
  if (policy === null) return [];
  return enough(rated, policy).filter((each) => 100 - each.rate >= policy.threshold);
}

/** Those with enough calls to be looked at; none when they are too few. */
function enough(
  rated: readonly Rated[],
  policy: Pick<SuccessRate, "minEndpoints" | "minVolume"> | null,
): readonly Rated[] {
  if (policy === null) return [];
  const known = rated.filter(({ calls }) => calls >= policy.minVolume);
  return known.length < policy.minEndpoints ? [] : known;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
