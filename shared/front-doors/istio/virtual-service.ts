/**
 * VirtualService into HTTPRoutes.
 *
 * A VirtualService stands at several doors at once: at Gateways, and (as
 * `mesh`) at the services that its hosts name. Its rules keep their order,
 * which `order: Listed` tells the routes; its prefixes are texts.
 *
 * @module
 */
import type { VirtualRule, VirtualServiceSpec } from "../../wire/resources/virtual-service.ts";
import {
  conclude,
  derivedName,
  documentOf,
  openReport,
  present,
  some,
  type Foreign,
  type OwnDocument,
  type Report,
  type Translation,
} from "../translation.ts";
import { derivedGateway } from "./gateway.ts";
import { hostnameOf, serviceOf } from "./host.ts";
import { translateAction } from "./http-action.ts";
import { translateMatch, type PathKind, type RouteMatch } from "./http-match.ts";

type VirtualService = Foreign<VirtualServiceSpec>;

/** Gateway API's limits for one route; longer lists go on in the next route. */
const MAX_RULES = 16;
const MAX_MATCHES = 64;
const MAX_MATCHES_OF_ROUTE = 128;

/**
 * Matches of one VirtualService at all of its doors and ports, where each port
 * that a match names has all rules anew: else a page of text would become
 * thousands of routes. Istio's own examples have fewer than 20.
 */
const MAX_PLACED_MATCHES = 8_192;

/** Where rules are in force: parents of a route, and the names by which a match asks for them. */
interface Door {
  readonly gateways: readonly string[];
  readonly parents: readonly object[];
  readonly hostnames: readonly string[];
}

/** A rule of a route with the matches that it has at one door. */
interface RouteRule {
  readonly matches: readonly object[];
  readonly action: object;
}

/** A match and what tells whether it holds at a door. */
interface PlacedMatch extends RouteMatch {
  readonly gateways: readonly string[];
  readonly port: number | null;
}

interface PlacedRule {
  readonly matches: readonly PlacedMatch[];
  readonly actions: Readonly<Record<PathKind, object>>;
}

/** Translates a VirtualService. One that stands at several doors becomes several routes. */
export function translateVirtualService(document: VirtualService): Translation {
  const report = openReport(document);
  reportScope(document, report);
  const rules = document.spec.http.map((rule, index) => placeRule(document, { rule, index }, report));
  const doors = doorsOf(document, report);
  const count = doors.reduce((sum, door) => sum + countAt(door, rules), 0);
  if (count > MAX_PLACED_MATCHES) {
    const message = `becomes ${count} matches, of at most ${MAX_PLACED_MATCHES}: name fewer ports, or write several VirtualServices`;
    report.problem("spec.http", message);
    return conclude(report, []);
  }
  const parts = doors.flatMap((door) => portsOf(rules).flatMap((port) => partsOf(door, port, rules)));
  return conclude(report, documentsOf(document, parts));
}

function placeRule(
  { metadata }: VirtualService,
  { rule, index }: { readonly rule: VirtualRule; readonly index: number },
  report: Report,
): PlacedRule {
  const of = { rule, path: `spec.http[${index}]`, namespace: metadata.namespace, report };
  const matches = rule.match.flatMap((match) =>
    translateMatch(match).map((one) => ({ ...one, gateways: match.gateways, port: match.port ?? null })),
  );
  if (rule.fault !== undefined && (rule.timeout !== undefined || rule.retries !== undefined)) {
    report.note(of.path, "timeout and retries are not in force where fault is, as in Istio");
  }
  const everything: PlacedMatch = {
    path: "prefix",
    match: { path: { type: "PathPrefix", value: "/" } },
    gateways: [],
    port: null,
  };
  return {
    matches: matches.length === 0 ? [everything] : matches,
    actions: { prefix: translateAction(of, "prefix"), whole: translateAction(of, "whole") },
  };
}

/** Routes of a namespace hold for all callers of its own services, and for its own callers of others'. */
function reportScope({ metadata, spec }: VirtualService, report: Report): void {
  if (!doorNames(spec).includes("mesh")) return;
  const isPrivate = spec.exportTo.length === 1 && [".", metadata.namespace].includes(spec.exportTo[0] ?? "");
  const isPublic = spec.exportTo.length === 0 || spec.exportTo.includes("*");
  spec.hosts.forEach((host, index) => {
    const isForeign = serviceOf(host, metadata.namespace).namespace !== metadata.namespace;
    if (isForeign && !isPrivate) {
      report.problem(
        `spec.hosts[${index}]`,
        `${host} is of another namespace, whose calls are not this one's to route: write exportTo: ["."] to route the calls of ${metadata.namespace} only`,
      );
    }
    if (!isForeign && !isPublic) {
      report.problem(
        "spec.exportTo",
        `not supported for ${host}: a service's own routes hold for all callers`,
      );
    }
  });
}

function doorNames({ gateways }: VirtualServiceSpec): readonly string[] {
  return gateways.length === 0 ? ["mesh"] : gateways;
}

/** One door for the mesh; one for all Gateways, or for each when some match asks for its own. */
function doorsOf(document: VirtualService, report: Report): Door[] {
  const names = doorNames(document.spec);
  const gateways = names.filter((name) => name !== "mesh");
  const isPicky = document.spec.http.some(({ match }) => match.some((one) => one.gateways.length > 0));
  const groups = isPicky ? gateways.map((name) => [name]) : [gateways];
  return [
    ...groups.filter((group) => group.length > 0).map((group) => gatewayDoor(document, group)),
    ...(names.includes("mesh") ? [meshDoor(document, report)] : []),
  ];
}

function gatewayDoor({ metadata, spec }: VirtualService, gateways: readonly string[]): Door {
  const parents = gateways.map((gateway) => {
    const [name = "", namespace] = gateway.split("/").toReversed();
    const isOwn = namespace === undefined || namespace === metadata.namespace;
    return present({ name: derivedGateway(name), namespace: isOwn ? undefined : namespace });
  });
  const hostnames = spec.hosts.includes("*")
    ? []
    : spec.hosts.map((host) => hostnameOf(host, metadata.namespace));
  return { gateways, parents, hostnames };
}

function meshDoor({ metadata, spec }: VirtualService, report: Report): Door {
  const parents = spec.hosts.flatMap((host, index) => {
    if (host.startsWith("*")) {
      report.problem(`spec.hosts[${index}]`, "a wildcard is for Gateways: inside the mesh name each service");
      return [];
    }
    const service = serviceOf(host, metadata.namespace);
    const isOwn = service.namespace === metadata.namespace;
    return [
      present({
        group: "",
        kind: "Service",
        name: service.name,
        namespace: isOwn ? undefined : service.namespace,
      }),
    ];
  });
  return { gateways: ["mesh"], parents, hostnames: [] };
}

/** The ports that some match asks for need a route of their own, before the one for all ports. */
function portsOf(rules: readonly PlacedRule[]): (number | null)[] {
  const ports = rules.flatMap(({ matches }) => matches.flatMap(({ port }) => port ?? []));
  return [...new Set(ports), null];
}

/** How many matches rules have at a door: those without a port once more at each port. */
function countAt(door: Door, rules: readonly PlacedRule[]): number {
  const here = rules
    .flatMap(({ matches }) => matches)
    .filter(({ gateways }) => gateways.length === 0 || gateways.some((name) => door.gateways.includes(name)));
  const free = here.filter(({ port }) => port === null).length;
  return here.length + free * (portsOf(rules).length - 1);
}

/** One route's parents, host names and rules. */
interface Part {
  readonly door: Door;
  readonly port: number | null;
  readonly rules: readonly RouteRule[];
}

function partsOf(door: Door, port: number | null, rules: readonly PlacedRule[]): Part[] {
  const here = rules.flatMap(({ matches, actions }) => rulesOf(matches.filter(holdsAt(door, port)), actions));
  return chunk(here).map((some) => ({ door, port, rules: some }));
}

/** A match without a port holds at every one, so that a port's own route has it in its place. */
function holdsAt(door: Door, port: number | null): (match: PlacedMatch) => boolean {
  return (match) =>
    (match.port === null || match.port === port) &&
    (match.gateways.length === 0 || match.gateways.some((name) => door.gateways.includes(name)));
}

/** The order of a rule's own matches means nothing: whichever holds, the rule decides. */
function rulesOf(matches: readonly PlacedMatch[], actions: PlacedRule["actions"]): RouteRule[] {
  const isAlike = JSON.stringify(actions.prefix) === JSON.stringify(actions.whole);
  const groups = isAlike
    ? [{ list: matches, action: actions.prefix }]
    : (["prefix", "whole"] as const).map((path) => ({
        list: matches.filter((match) => match.path === path),
        action: actions[path],
      }));
  return groups.flatMap(({ list, action }) =>
    slices(list, MAX_MATCHES).map((slice) => ({ matches: slice.map(({ match }) => match), action })),
  );
}

function slices<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

/** Fills one route after another. */
function chunk(rules: readonly RouteRule[]): RouteRule[][] {
  const chunks: RouteRule[][] = [];
  let matches = 0;
  for (const rule of rules) {
    const last = chunks.at(-1);
    matches += rule.matches.length;
    if (last !== undefined && last.length < MAX_RULES && matches <= MAX_MATCHES_OF_ROUTE) last.push(rule);
    else {
      chunks.push([rule]);
      matches = rule.matches.length;
    }
  }
  return chunks;
}

/** Routes of one VirtualService are of one age, so that their names decide which is tried first. */
function documentsOf(document: VirtualService, parts: readonly Part[]): OwnDocument[] {
  const width = String(parts.length).length;
  return parts.map(({ door, port, rules }, index) => {
    const number = parts.length === 1 ? "" : String(index + 1).padStart(width, "0");
    const parentRefs = door.parents.map((parent) => (port === null ? parent : { ...parent, port }));
    return documentOf(document, {
      kind: "HTTPRoute",
      name: derivedName(document, number),
      spec: present({
        parentRefs,
        hostnames: some(door.hostnames),
        order: "Listed",
        rules: rules.map(({ matches, action }) => ({ matches, ...action })),
      }),
    });
  });
}
