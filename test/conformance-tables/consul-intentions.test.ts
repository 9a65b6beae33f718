import { describe, expect, test } from "vitest";
import { authorize, principalOf, type AuthorizationInput } from "../../shared/engine/authorize.ts";
import * as intention from "../../shared/engine/intention.ts";
import { compileIntentions, inOrder } from "../../shared/front-doors/consul/intentions.ts";
import { parseDocuments } from "../../shared/wire/parse.ts";
import { isKind } from "../../shared/wire/resources/schemas.ts";
import { store } from "../compile/worlds.ts";
import { readCases } from "./cases.ts";

type Tuple = readonly [
  sourceNamespace: string,
  source: string,
  destinationNamespace: string,
  destination: string,
];
type Pair = readonly [queried: string, other: string];

interface Entry {
  readonly source: string;
  readonly destination: string;
  readonly action?: string;
  readonly permissions?: readonly unknown[];
}

interface Table {
  readonly sorting: readonly {
    readonly name: string;
    readonly in: readonly Tuple[];
    readonly out: readonly Tuple[];
  }[];
  readonly matching: readonly {
    readonly name: string;
    readonly intentions: readonly Pair[];
    readonly query: string;
    readonly result: readonly Pair[];
  }[];
  readonly decisions: {
    readonly entries: readonly Entry[];
    readonly cases: readonly {
      readonly src: string;
      readonly dst: string;
      readonly default?: string;
      readonly allowed: boolean;
    }[];
  };
  readonly validation: readonly { readonly rule: string; readonly valid: boolean }[];
  readonly defaultMatrix: {
    readonly cases: readonly {
      readonly default: string;
      readonly intentions: readonly Entry[];
      readonly decisions: Readonly<Record<string, string>>;
    }[];
  };
}

const { absence, content } = readCases<Table>("consul-intentions.json");
const NOTHING: Table = {
  sorting: [],
  matching: [],
  decisions: { entries: [], cases: [] },
  validation: [],
  defaultMatrix: { cases: [] },
};
const table = content ?? NOTHING;

function precedenceOf([
  sourceNamespace,
  source,
  destinationNamespace,
  destination,
]: Tuple): intention.Precedence {
  return { sourceNamespace, source, destinationNamespace, destination };
}

/** Entries as one document for each destination, as Consul keeps them. */
function documentsOf(entries: readonly Entry[]): unknown[] {
  const byDestination = Map.groupBy(entries, ({ destination }) => destination);
  return [...byDestination].map(([destination, group]) => ({
    Kind: "service-intentions",
    Name: destination,
    Sources: group.map(({ source, action, permissions }) => ({
      Name: source,
      ...(action === undefined ? {} : { Action: action }),
      ...(permissions === undefined ? {} : { Permissions: permissions }),
    })),
  }));
}

/** The intentions for one destination in the order in which they are tried. */
function intentionsFor(entries: readonly Entry[], destination: string): intention.Intention[] {
  const parsed = parseDocuments(documentsOf(entries), {
    defaultNamespace: "shop",
    allowPrivateEndpoints: false,
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const resources = parsed.resources.map((resource) => store(resource, 0));
  return inOrder(
    resources.flatMap((resource) => {
      if (!isKind(resource, "ServiceIntentions")) return [];
      const { name } = resource.spec.destination;
      if (name !== "*" && name !== destination) return [];
      const foreign = { ...resource, kind: "ServiceIntentions" };
      return compileIntentions(foreign, { trustDomain: "mesh.test", isWide: false });
    }),
  );
}

function call(source: string, method = "GET"): AuthorizationInput {
  const caller = { trustDomain: "mesh.test", namespace: "shop", serviceAccount: source };
  const principal = principalOf(caller);
  return {
    caller: { ...caller, principal },
    host: "api",
    port: 80,
    method,
    path: "/x",
    headers: new Headers(),
    now: 0,
  };
}

/** The mesh's defaults: no ALLOW policy means allowed, one that never matches means denied. */
function verdict(
  entries: readonly Entry[],
  destination: string,
  fallback: string,
  input: AuthorizationInput,
): string {
  const intentions = intentionsFor(entries, destination);
  return authorize({ deny: [], allow: fallback === "allow" ? null : [], intentions }, input).kind;
}

test.runIf(content === null)(`Consul's cases${absence}`, () => {
  expect(table).toBe(NOTHING);
});

describe.skipIf(content === null)("intentions, by Consul's cases", () => {
  test.each(table.sorting)("are sorted: $name", ({ in: given, out }) => {
    const sorted = given.toSorted((a, b) => intention.compare(precedenceOf(a), precedenceOf(b)));
    expect(sorted).toEqual(out);
  });

  // Each case holds for the queried side being the destination, which is the side that enforces.
  test.each(table.matching)("of one destination are in order: $name", ({ intentions, query, result }) => {
    const entries = intentions.map(([destination, source]) => ({ source, destination, action: "deny" }));
    const found = intentionsFor(entries, query).map(({ policy, source }) => [
      policy.replace("shop/", "").replace("all-services", "*"),
      source.kind === "principal" ? source.principal.replace(/^.*\//, "") : "*",
    ]);
    expect(found).toEqual(result);
  });

  test.each(table.decisions.cases)(
    "$src may call $dst: $allowed",
    ({ src, dst, allowed, default: fallback }) => {
      // No request is known there: here it is one that no permission is about.
      const kind = verdict(table.decisions.entries, dst, fallback ?? "deny", call(src, "POST"));
      expect(kind).toBe(allowed ? "allow" : "deny");
    },
  );

  test.each(table.defaultMatrix.cases)(
    "default $default, $intentions: $decisions",
    ({ default: fallback, intentions, decisions }) => {
      const made = Object.keys(decisions).map((line) => {
        const [source = "", , destination = "", method] = line.split(" ");
        return [line, verdict(intentions, destination, fallback, call(source, method))];
      });
      expect(Object.fromEntries(made)).toEqual(decisions);
    },
  );

  const WRONG: Readonly<Record<string, readonly object[]>> = {
    "no action": [{ Name: "web" }],
    "empty source namespace / name": [
      { Name: "", Action: "allow" },
      { Name: "web", Namespace: "", Action: "allow" },
    ],
    'source or destination with a partial wildcard ("foo*")': [{ Name: "foo*", Action: "allow" }],
    'exact name after a wildcard namespace ("*"/"foo")': [{ Name: "foo", Namespace: "*", Action: "allow" }],
    "unknown source type": [{ Name: "web", Type: "vm", Action: "allow" }],
    "empty destination namespace / name": [],
  };

  test.each(table.validation)("are refused: $rule", ({ rule }) => {
    const sources = WRONG[rule];
    expect(sources, "a rule that this test knows").toBeDefined();
    const documents = (sources ?? []).map((source) => ({
      Kind: "service-intentions",
      Name: "a",
      Sources: [source],
    }));
    const empty = { Kind: "service-intentions", Name: "", Sources: [{ Name: "web", Action: "allow" }] };
    for (const document of documents.length === 0 ? [empty] : documents) {
      const { ok } = parseDocuments([document], { defaultNamespace: "shop", allowPrivateEndpoints: false });
      expect(ok).toBe(false);
    }
  });
});
