import { describe, expect, test } from "vitest";
import { compileUnit } from "../../shared/compile/compile.ts";
import { createWorld, put } from "../../shared/compile/world.ts";
import * as host from "../../shared/engine/host.ts";
import * as redirect from "../../shared/engine/redirect.ts";
import type { RequestView } from "../../shared/engine/request.ts";
import * as route from "../../shared/engine/route.ts";
import { virtualHostKey } from "../../shared/engine/snapshot.ts";
import { parseDocuments } from "../../shared/wire/parse.ts";
import { store } from "../compile/worlds.ts";
import { compilePattern, setOf, viewOf, type Condition } from "../engine/routes.ts";
import { readCases } from "./cases.ts";

interface Match {
  readonly type: string;
  readonly value: string;
}

type Named = Match & { readonly name: string };

interface Case {
  readonly test: string;
  readonly match: boolean;
  readonly note?: string;
}

interface RouteCase extends Case {
  readonly routes: readonly { readonly hostnames: readonly string[]; readonly matches: readonly object[] }[];
  readonly request: { readonly url: string; readonly headers?: Record<string, string> };
  readonly expectRoute: number;
}

interface HostCase extends Case {
  readonly hostname: string;
  readonly host: string;
}

interface PathCase extends Case {
  readonly pathMatch: Match;
  readonly path: string;
}

interface HeaderCase extends Case {
  readonly headerMatch: Named;
  readonly values: readonly string[];
}

interface QueryCase extends Case {
  readonly queryMatch: Named;
  readonly query: string;
}

interface RedirectCase extends Case {
  readonly name: string;
  readonly pathMatch: Match | null;
  readonly requestRedirect: {
    readonly scheme?: "http" | "https";
    readonly hostname?: string;
    readonly port?: number;
    readonly path?: { readonly replaceFullPath?: string; readonly replacePrefixMatch?: string };
  };
  readonly url: string;
  readonly location: string;
  readonly invalid: boolean;
}

const linkerd = readCases<{ readonly cases: readonly (Case & Record<string, unknown>)[] }>(
  "linkerd-route-cases.json",
);

/** The cases that have all of some fields, which tell their kind. */
function casesWith<Kind extends Case>(...fields: readonly (keyof Kind & string)[]): Kind[] {
  const all = linkerd.content?.cases ?? [];
  const fitting = all.filter((one) => fields.every((field) => field in one));
  return fitting.map((one) => structuredClone(one) as Case as Kind);
}

const PATH_KINDS: Readonly<Record<string, route.PathMatch["kind"]>> = {
  Exact: "exact",
  PathPrefix: "prefix",
  RegularExpression: "regex",
};

/** As the compiler writes a path match: a prefix has no trailing slash. */
function pathOf({ type, value }: Match): route.PathMatch {
  const kind = PATH_KINDS[type] ?? "exact";
  return { kind, value: kind === "prefix" && value !== "/" ? value.replace(/\/$/, "") : value };
}

function valueOf({ type, name, value }: Named): route.ValueMatch {
  return { name, kind: type === "RegularExpression" ? "regex" : "exact", value };
}

function isWon(condition: Condition, view: RequestView): boolean {
  return route.match(route.index(setOf([condition]), compilePattern), view, null) !== null;
}

/** Where the mesh decides otherwise than Linkerd, knowingly: a header's lines are one value, of a parameter the first counts. */
const OTHERWISE = /repeated header lines|second value of a repeated parameter/;

describe.skipIf(linkerd.content === null)(`Linkerd's routes${linkerd.absence}`, () => {
  test.each(casesWith<RouteCase>("routes"))("$test", ({ routes, request, expectRoute }) => {
    expect(winnerOf(routes, request)).toBe(`shop/r${expectRoute}`);
  });

  // Host names of configuration may not end in a dot here.
  const hosts = casesWith<HostCase>("hostname", "host").filter(({ hostname }) => !hostname.endsWith("."));
  test.each(hosts)("$test: $hostname, $host: $match", ({ hostname, host: asked, match }) => {
    const parsed = host.parseHost(asked, "http");
    expect(parsed.kind === "ok" && host.matchHost(hostname.toLowerCase(), parsed.host)).toBe(match);
  });

  test.each(casesWith<PathCase>("pathMatch", "path"))(
    "$test: $pathMatch.type $pathMatch.value, $path: $match",
    ({ pathMatch, path, match }) => {
      expect(isWon({ path: pathOf(pathMatch) }, viewOf(path))).toBe(match);
    },
  );

  test.each(casesWith<HeaderCase>("headerMatch"))(
    "$test: $headerMatch.value, $values: $match",
    ({ headerMatch, values, match, note }) => {
      const headers = new Headers(values.map((value) => [headerMatch.name, value]));
      const expected = OTHERWISE.test(note ?? "") ? false : match;
      expect(isWon({ headers: [valueOf(headerMatch)] }, { ...viewOf("/"), headers })).toBe(expected);
    },
  );

  test.each(casesWith<QueryCase>("queryMatch"))(
    "$test: $queryMatch.value, $query: $match",
    ({ queryMatch, query, match, note }) => {
      const expected = OTHERWISE.test(note ?? "") ? false : match;
      expect(isWon({ query: [valueOf(queryMatch)] }, viewOf(`/${query}`))).toBe(expected);
    },
  );

  const redirects = casesWith<RedirectCase>("requestRedirect").filter(({ invalid }) => !invalid);
  test.each(redirects)("$test: $name", ({ pathMatch, requestRedirect, url, location, note }) => {
    const { path, ...aim } = requestRedirect;
    const to = {
      ...aim,
      ...(path === undefined ? {} : { path: rewriteOf(path) }),
      statusCode: 302 as const,
    };
    const found = redirect.locate(
      to,
      requestOf(url),
      pathOf(pathMatch ?? { type: "PathPrefix", value: "/" }),
    );
    // Gateway API keeps the query of a full path's redirect; Linkerd does not.
    const expected = note?.includes("drops query") === true ? `${location}?a=b&c=d` : location;
    expect(found).toBe(expected);
  });
});

function rewriteOf(path: NonNullable<RedirectCase["requestRedirect"]["path"]>): redirect.PathRewrite {
  return path.replaceFullPath === undefined
    ? { kind: "prefix", value: path.replacePrefixMatch ?? "/" }
    : { kind: "full", value: path.replaceFullPath };
}

function requestOf(text: string): RequestView {
  const url = new URL(text);
  const port = url.port === "" ? 80 : Number(url.port);
  const view = viewOf(`${url.pathname}${url.search}`);
  return { ...view, authority: url.host, host: url.hostname, port };
}

/** Applies the routes to a gateway, oldest first, and asks which one wins the request. */
function winnerOf(routes: RouteCase["routes"], { url, headers }: RouteCase["request"]): string | undefined {
  const gateway = {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { name: "gw" },
    spec: { gatewayClassName: "selvedge", listeners: [{ name: "http", port: 80, protocol: "HTTP" }] },
  };
  const documents = routes.map(({ hostnames, matches }, index) => ({
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: `r${index}` },
    spec: {
      parentRefs: [{ name: "gw" }],
      ...(hostnames.length === 0 ? {} : { hostnames }),
      rules: [matches.length === 0 ? {} : { matches }],
    },
  }));
  const options = { defaultNamespace: "shop", allowPrivateEndpoints: false };
  const parsed = parseDocuments([gateway, ...documents], options);
  const world = createWorld({ trustDomain: "mesh.test" });
  for (const [age, resource] of (parsed.ok ? parsed.resources : []).entries())
    put(world, store(resource, age));

  const view = { ...requestOf(url), headers: new Headers(headers) };
  const listener = "shop/gw/http";
  const directory = compileUnit(world, "directory");
  const domains = directory?.kind === "directory" ? (directory.listeners[0]?.domains ?? []) : [];
  const domain = host.findHost(new Set(domains), view.host) ?? "";
  const unit = compileUnit(world, virtualHostKey(listener, domain));
  if (unit?.kind !== "virtual-host") return undefined;
  return route.match(route.index(unit.routes, compilePattern), view, null)?.action.route;
}
