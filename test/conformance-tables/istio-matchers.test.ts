/** Istio's own cases of the texts in policies: what each matches. */
import { expect, test } from "vitest";
import { authorize, principalOf, type AuthorizationInput } from "../../shared/engine/authorize.ts";
import { compileAuthorization, pool } from "../../shared/compile/authorization.ts";
import { userMatch } from "../../shared/compile/authorization.ts";
import { matches, parseStringMatch } from "../../shared/engine/match.ts";
import { canonicalTemplate } from "../../shared/wire/path-match.ts";
import { authorizationPolicySpec } from "../../shared/wire/resources/authorization-policy.ts";
import { readCases } from "./cases.ts";

interface Probe {
  readonly value: string;
  readonly match: boolean;
}

interface Case {
  readonly test: string;
  readonly name?: string;
  readonly pattern?: string;
  readonly prefix?: string;
  readonly host?: boolean;
  readonly requestPrincipal?: string;
  readonly issMatcher?: unknown;
  readonly subMatcher?: unknown;
  readonly key?: string | null;
  readonly value?: string;
  readonly matcher?: { readonly pathTemplate?: string };
  readonly probes?: readonly Probe[];
}

const { absence, content } = readCases<{ readonly cases: readonly Case[] }>("istio-authz-matchers.json");
const cases = content?.cases ?? [];

const texts = cases.flatMap(({ test: origin, name = "", pattern, prefix = "", host = false, probes = [] }) =>
  pattern === undefined || prefix !== ""
    ? []
    : // A request without a host is refused at the door.
      probes
        .filter(({ value }) => !host || value !== "")
        .map(({ value, match }) => ({ origin, name, pattern, host, value, match })),
);

test.skipIf(content === null).each(texts)(
  `$origin $name: $pattern meets $value: $match${absence}`,
  ({ pattern, host, value, match }) => {
    const fold = (text: string) => (host ? text.toLowerCase() : text);
    expect(matches(parseStringMatch(fold(pattern)), fold(value))).toBe(match);
  },
);

const users = cases.flatMap(({ requestPrincipal, issMatcher, subMatcher }) =>
  requestPrincipal === undefined ? [] : [{ requestPrincipal, issMatcher, subMatcher }],
);

/** A match in the words of the table. */
function inWords({ kind, ...rest }: ReturnType<typeof parseStringMatch>): unknown {
  return kind === "present" ? { regex: ".+" } : { [kind]: "value" in rest ? rest.value : "" };
}

test.skipIf(content === null).each(users)(
  `$requestPrincipal${absence}`,
  ({ requestPrincipal, issMatcher, subMatcher }) => {
    const { issuer, subject } = userMatch(requestPrincipal);
    expect([inWords(issuer), inWords(subject)]).toEqual([issMatcher, subMatcher]);
  },
);

const templates = cases.flatMap(({ pattern, matcher }) =>
  pattern === undefined || matcher?.pathTemplate === undefined
    ? []
    : [{ pattern, template: matcher.pathTemplate }],
);

test.skipIf(content === null).each(templates)(
  `$pattern is the template $template${absence}`,
  ({ pattern, template }) => {
    const { head, tail } = canonicalTemplate(pattern) ?? { head: [], tail: null };
    const written = head.map((segment) => `/${segment ?? "*"}`).join("");
    expect(`${written}${tail === null ? "" : `/**${tail}`}`).toBe(template);
  },
);

/** One caller, `mesh.test/ns/foo/sa/a`, at one host. */
function decide(when: object | null, to: object | null, more: Partial<AuthorizationInput>): boolean {
  const spec = authorizationPolicySpec.parse({
    rules: [
      {
        ...(when === null ? {} : { from: [{ source: when }] }),
        ...(to === null ? {} : { to: [{ operation: to }] }),
      },
    ],
  });
  const metadata = {
    namespace: "x",
    name: "p",
    labels: {},
    annotations: {},
    uid: "",
    generation: 1,
    creationTimestamp: "",
  };
  const policy = compileAuthorization({ apiVersion: "", kind: "", metadata, spec }, "mesh.test");
  const known = { trustDomain: "mesh.test", namespace: "foo", serviceAccount: "a" };
  const caller = { ...known, principal: principalOf(known) };
  const input = {
    caller,
    host: "foo",
    port: 80,
    method: "GET",
    path: "/abc",
    headers: new Headers(),
    now: 0,
    ...more,
  };
  return authorize(pool({ policies: [policy], intending: [], providers: new Map() }), input).kind === "allow";
}

// What Istio writes as regular expressions of a whole principal, is decided here by its parts.
test.each<[string, object | null, object | null, boolean]>([
  ["srcNamespaceGenerator-http", { namespaces: ["foo"] }, null, true],
  ["srcNamespaceGenerator-http, another", { namespaces: ["fo"] }, null, false],
  ["srcTrustDomainGenerator-exact", { trustDomains: ["cluster.local"] }, null, true],
  ["srcTrustDomainGenerator-exact, another", { trustDomains: ["cluster"] }, null, false],
  ["srcTrustDomainGenerator-prefix-wildcard", { trustDomains: ["mesh.*"] }, null, true],
  ["srcTrustDomainGenerator-suffix-wildcard", { trustDomains: ["*test"] }, null, true],
  ["srcPrincipalGenerator-http", { principals: ["cluster.local/ns/foo/sa/a"] }, null, true],
  ["hostGenerator", null, { hosts: ["FOO"] }, true],
  ["pathGenerator", null, { paths: ["/abc"] }, true],
  ["pathGenerator-template", null, { paths: ["/abc/{*}"] }, false],
  ["methodGenerator", null, { methods: ["GET"] }, true],
])("%s", (_name, source, operation, expected) => {
  expect(decide(source, operation, {})).toBe(expected);
});
