/** What a TrafficPolicy refuses: the field, and what its message tells. */
import { expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { parseDocuments } from "../../../shared/wire/parse.ts";

/** The problems of a spec, as `field: message`. */
function refusalsOf(spec: string): readonly string[] {
  const kind = "TrafficPolicy";
  const document = {
    apiVersion: "selvedge.dev/v1",
    kind,
    metadata: { name: "a" },
    spec: parseYaml(spec) as unknown,
  };
  const result = parseDocuments([document], { defaultNamespace: "shop", allowPrivateEndpoints: false });
  if (result.ok) return [];
  return result.problems.map(({ path, message }) => `${path.replace(`${kind} shop/a: `, "")}: ${message}`);
}

/** Each expected text is part of one problem, in order. */
function holding(texts: readonly string[]): unknown[] {
  return texts.map((text) => expect.stringContaining(text));
}

function traffic(text: string): string {
  return `{targetRefs: [{kind: Service, name: a}], ${text}}`;
}

test.each([
  ["{}", ["spec.targetRefs: is required"]],
  [
    "{targetRefs: [{kind: Secret, name: a}]}",
    ["spec.targetRefs[0].kind: must be Service or HTTPRoute or Gateway"],
  ],
  [traffic("loadBalancer: {type: RoundRobin, choiceCount: 2}"), ["loadBalancer.choiceCount: goes with"]],
  [traffic("loadBalancer: {choiceCount: 1}"), ["loadBalancer.choiceCount: must be at least 2"]],
  [traffic("retry: {retryOn: [never]}"), ["retry.retryOn[0]: must be connect-failure or reset"]],
  [traffic("retry: {backoff: {base: 2s, max: 1s}}"), ["retry.backoff.max: may not be shorter"]],
  [traffic("retry: {backoff: {base: 0s}}"), ["retry.backoff.base: must be more than zero"]],
  [traffic("retry: {budget: {percent: 101}}"), ["retry.budget.percent: must be at most 100"]],
  [
    traffic("circuitBreaker: {consecutiveFailures: 0}"),
    ["circuitBreaker.consecutiveFailures: must be at least 1"],
  ],
  [traffic("panicThreshold: 101"), ["panicThreshold: must be at most 100"]],
  [traffic("loadBalancer: {type: RingHash}"), ["loadBalancer.hashKey: must be given with type: RingHash"]],
  [
    traffic("loadBalancer: {type: Maglev, tableSize: 65536, hashKey: [{type: Caller}]}"),
    ["loadBalancer.tableSize: must be a prime number"],
  ],
  [
    traffic(
      "loadBalancer: {type: PeakEWMA, hashKey: [{type: Caller}], minimumRingSize: 9, boundFactor: 120}",
    ),
    [
      "loadBalancer.hashKey: goes with type: RingHash or Maglev only",
      "loadBalancer.boundFactor: goes with type: RingHash or Maglev only",
      "loadBalancer.minimumRingSize: goes with type: RingHash only",
    ],
  ],
  [
    traffic("loadBalancer: {type: RingHash, boundFactor: 100, hashKey: [{type: Caller}]}"),
    ["loadBalancer.boundFactor: must be at least 101"],
  ],
  [
    traffic(
      "loadBalancer: {type: RingHash, hashKey: [{type: Header}, {type: Caller, name: x}, {type: Cookie, name: 'a=b'}, {type: Header, name: x, ttl: 1s}]}",
    ),
    [
      "loadBalancer.hashKey[0].name: must be given with type: Header",
      "loadBalancer.hashKey[1].name: goes with types that have a name, not Caller",
      "loadBalancer.hashKey[2].name: ",
      "loadBalancer.hashKey[3].ttl: goes with type: Cookie only",
    ],
  ],
  [
    traffic("loadBalancer: {type: RingHash, hashKey: [{type: Cookie, name: c, path: /}]}"),
    ["loadBalancer.hashKey[0].path: goes with ttl"],
  ],
  [
    traffic("loadBalancer: {type: RingHash, hashKey: [{type: Caller}]}, slowStart: {window: 1s}"),
    ["slowStart: does not go with RingHash"],
  ],
  [traffic("slowStart: {window: 0s}"), ["slowStart.window: must be more than zero"]],
  [traffic("hedging: {max: 2}"), ["hedging: needs after or quantile"]],
  [traffic("hedging: {quantile: 100}"), ["hedging.quantile: must be at most 99.99"]],
  [
    traffic("sessionPersistence: {cookieConfig: {lifetimeType: Permanent}}"),
    ["sessionPersistence.absoluteTimeout: must be given when"],
  ],
  [
    traffic("sessionPersistence: {idleTimeout: 1.5s, cookieConfig: {path: '/;x'}}"),
    [
      "sessionPersistence.idleTimeout: write a duration",
      "sessionPersistence.cookieConfig.path: begins with '/'",
    ],
  ],
  [traffic("subsets: [{name: v1, labels: {}}]"), ["subsets[0].labels: must name a label"]],
  [
    traffic("subsets: [{name: v1, labels: {a: b}}, {name: v1, labels: {a: b}, timeouts: {perTry: x}}]"),
    ["subsets[1].timeouts.perTry: write a duration", "subsets[1].name: repeats item [0]"],
  ],
  [
    traffic("split: {stickyBy: {type: Caller}}, pathNormalization: None"),
    [
      "split: goes with targets of kind HTTPRoute only",
      "pathNormalization: goes with targets of kind Gateway only",
    ],
  ],
  [
    "{targetRefs: [{kind: HTTPRoute, group: gateway.networking.k8s.io, name: r}], panicThreshold: 1, split: {stickyBy: {type: Claim}}}",
    [
      "spec.split.stickyBy.name: must be given with type: Claim",
      "spec.panicThreshold: goes with targets of kind Service only",
    ],
  ],
  [
    "{targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: g, sectionName: a}], panicThreshold: 1, subsets: [{name: v1, labels: {a: b}}]}",
    [
      "spec.panicThreshold: goes with targets of kind Service only",
      "spec.subsets: goes with targets of kind Service only",
    ],
  ],
  [
    "{targetRefs: [{kind: Service, name: g, sectionName: a}]}",
    ["spec.targetRefs[0].sectionName: a policy targets the whole resource"],
  ],
])("%s", (spec, refusals) => {
  expect(refusalsOf(spec)).toEqual(holding(refusals));
});
