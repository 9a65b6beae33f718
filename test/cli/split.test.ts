import { describe, expect, test } from "vitest";
import { change, needsHistory, parseSplit, type RouteSpec } from "../../cli/split.ts";
import { splitRows } from "../../cli/split-table.ts";

/** One rule for each text, `reviews-v1=90 reviews-v2:80=10`; a name before a bar is the rule's. */
function specOf(...rules: readonly string[]): RouteSpec {
  return parseSplit({
    hostnames: ["a.test"],
    rules: rules.map((text) => {
      const [backends = "", name] = text.split("|").toReversed();
      return { ...(name === undefined ? {} : { name }), backendRefs: backends.split(" ").map(refOf) };
    }),
  });
}

function refOf(text: string): object {
  const [, name, namespace, subset, port, weight] =
    /^([a-z0-9-]+)(?:\.([a-z]+))?(?:\/([a-z0-9]+))?(?::(\d+))?=(\d+)$/.exec(text) ?? [];
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(subset === undefined ? {} : { subset }),
    ...(port === undefined ? {} : { port: Number(port) }),
    weight: Number(weight),
    filters: [],
  };
}

function weightsOf({ rules }: RouteSpec): string {
  return rules.map(({ backendRefs }) => backendRefs.map(({ weight }) => weight).join(" ")).join(" | ");
}

const wish = (backend: string, percent: number, rule?: string) => ({ backend, percent, rule });

describe("change", () => {
  test.each([
    ["one rule", specOf("v1=100 v2=0"), wish("v2", 20), "80 20"],
    ["a name without its port", specOf("v1:80=100 v2:80=0"), wish("v2", 20), "80 20"],
    ["a name with its port", specOf("v1:80=1 v2:80=1 v2:81=0"), wish("v2:81", 50), "25 25 50"],
    ["a subset", specOf("reviews/v1=1 reviews/v2=0"), wish("reviews/v2", 50), "50 50"],
    ["a namespace", specOf("v1=1 v1.blue=0"), wish("v1.blue", 50), "50 50"],
    ["every rule that has it", specOf("v1=1 v2=0", "v1=1", "v2=1 v1=1"), wish("v2", 10), "90 10 | 1 | 10 90"],
    ["a rule by name", specOf("a|v1=1 v2=0", "b|v1=1 v2=0"), wish("v2", 10, "b"), "1 0 | 90 10"],
    ["a rule by index", specOf("a|v1=1 v2=0", "v1=1 v2=0"), wish("v2", 10, "0"), "90 10 | 1 0"],
  ])("%s", (_what, spec, wanted, expected) => {
    const changed = change(spec, wanted, []);

    expect(weightsOf(changed)).toBe(expected);
    // Nothing but weights is touched.
    expect(JSON.stringify(changed).replace(/"weight":\d+/g, "")).toBe(
      JSON.stringify(spec).replace(/"weight":\d+/g, ""),
    );
  });

  test("gives others what they had last, when they have nothing now", () => {
    const now = specOf("v1=0 v2=0 v3=100");
    const before = [
      specOf("v1=0 v2=0 v3=1"),
      specOf("v1=1 v3=1"),
      specOf("v1=60 v2=20 v3=20"),
      specOf("v1=1 v2=9 v3=0"),
    ];

    expect(needsHistory(now, wish("v3", 0))).toBe(true);
    expect(weightsOf(change(now, wish("v3", 0), before))).toBe("75 25 0");
    expect(weightsOf(change(now, wish("v3", 20), before))).toBe("60 20 20");
  });

  test("needs no history where others have weights or get none", () => {
    expect(needsHistory(specOf("v1=1 v2=1"), wish("v2", 0))).toBe(false);
    expect(needsHistory(specOf("v1=0 v2=1"), wish("v2", 100))).toBe(false);
  });

  test.each([
    ["an unknown backend", specOf("v1=1 v2:80=0"), wish("v3", 1), 'No rule of the route has a backend "v3"'],
    [
      "another rule's backend",
      specOf("a|v1=1", "b|v2=1"),
      wish("v1", 1, "b"),
      'No rule "b" has a backend "v1"',
    ],
    ["two ports of one name", specOf("v1:80=1 v1:81=1"), wish("v1", 1), "name the port"],
    ["nobody else", specOf("v1=1"), wish("v1", 20), "no other backend that could take the rest"],
    ["nobody who ever had a weight", specOf("v1=1 v2=0"), wish("v1", 20), "no other backend"],
  ])("refuses %s", (_what, spec, wanted, message) => {
    expect(() => change(spec, wanted, [])).toThrow(message);
  });

  test("refuses a resource without rules", () => {
    expect(() => parseSplit({ ports: [] })).toThrow("no rules with weighted backends");
  });
});

test("shares are of a rule, observed ones of the calls to its backends", () => {
  const spec = specOf("v1=3 v2=1", "off|v1=0", "reviews/v1=1 reviews/v2=1");
  const rates = [
    { service: "shop/v1", version: "v1", perSecond: 4 },
    { service: "shop/v1", version: "v9", perSecond: 4 },
    { service: "shop/v2", version: "", perSecond: 2 },
    { service: "blue/v2", version: "", perSecond: 100 },
    { service: "shop/reviews", version: "v2", perSecond: 1 },
  ];

  const rows = splitRows(spec, "shop", rates);

  expect(rows).toEqual([
    { rule: "0", backend: "v1", weight: 3, share: 0.75, observed: 0.8 },
    { rule: "0", backend: "v2", weight: 1, share: 0.25, observed: 0.2 },
    { rule: "off", backend: "v1", weight: 0, share: 0, observed: 1 },
    { rule: "2", backend: "reviews/v1", weight: 1, share: 0.5, observed: 0 },
    { rule: "2", backend: "reviews/v2", weight: 1, share: 0.5, observed: 1 },
  ]);
  expect(splitRows(spec, "shop", []).map(({ observed }) => observed)).toEqual([null, null, null, null, null]);
});
