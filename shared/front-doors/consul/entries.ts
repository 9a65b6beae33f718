/**
 * Config entries, found by the service that they are about.
 *
 * @module
 */
import type { Foreign } from "../translation.ts";
import type { Entries, Name } from "./chain.ts";
import { standInsOf } from "./failover.ts";
import { upstreamsOf } from "./upstream.ts";
import type {
  ServiceDefaultsSpec,
  ServiceResolverSpec,
  ServiceRouterSpec,
  ServiceSplitterSpec,
} from "../../wire/resources/consul.ts";

/** A parsed config entry of a chain. The kind vouches for the spec. */
export type Entry =
  | (Foreign<ServiceRouterSpec> & { readonly kind: "ServiceRouter" })
  | (Foreign<ServiceSplitterSpec> & { readonly kind: "ServiceSplitter" })
  | (Foreign<ServiceResolverSpec> & { readonly kind: "ServiceResolver" })
  | (Foreign<ServiceDefaultsSpec> & { readonly kind: "ServiceDefaults" });

const KINDS: ReadonlySet<string> = new Set<Entry["kind"]>([
  "ServiceRouter",
  "ServiceSplitter",
  "ServiceResolver",
  "ServiceDefaults",
]);

/** Whether a kind is that of a part of a chain. */
export function isEntryKind(kind: string): boolean {
  return KINDS.has(kind);
}

/** Whether a document that has been parsed is part of a chain. */
export function isEntry(document: Foreign): document is Entry {
  return KINDS.has(document.kind);
}

/** Under which an entry is found. */
export function entryKey(kind: string, { namespace, name }: Name): string {
  return `${kind} ${namespace}/${name}`;
}

/** Which services have a say in which chains. Whoever keeps entries keeps it in step: to look for it anew means to look at all. */
export interface Links {
  /** By a service, `namespace/name`, those whose entries name it. */
  readonly naming: Map<string, Map<string, Name>>;
  /** By a service those whose defaults say something of calls to it. */
  readonly callers: Map<string, Map<string, Name>>;
}

/** Links of no entries. */
export function createLinks(): Links {
  return { naming: new Map(), callers: new Map() };
}

/** Adds what a service's own entries say of others. To be called once they are there. */
export function link(links: Links, entries: Entries, service: Name): void {
  const name = { namespace: service.namespace, name: service.name };
  const add = (map: Links["naming"], one: Name) => {
    const known = map.get(nameKey(one)) ?? new Map<string, Name>();
    map.set(nameKey(one), known.set(nameKey(name), name));
  };
  for (const named of namedBy(entries, service)) add(links.naming, named);
  for (const upstream of upstreamsOf(entries, service)) add(links.callers, upstream);
}

/** Takes back what `link` has added. To be called while the entries are as they were then. */
export function unlink(links: Links, entries: Entries, service: Name): void {
  const drop = (map: Links["naming"], one: Name) => {
    const known = map.get(nameKey(one));
    known?.delete(nameKey(service));
    if (known?.size === 0) map.delete(nameKey(one));
  };
  for (const named of namedBy(entries, service)) drop(links.naming, named);
  for (const upstream of upstreamsOf(entries, service)) drop(links.callers, upstream);
}

function nameKey({ namespace, name }: Name): string {
  return `${namespace}/${name}`;
}

/** Entries by their keys, with their links where they are known. */
export function entriesIn(byKey: ReadonlyMap<string, Foreign>, known?: Links): Entries {
  const findEntry = (kind: Entry["kind"], service: Name): Entry | undefined => {
    const found = byKey.get(entryKey(kind, service));
    return found !== undefined && isEntry(found) ? found : undefined;
  };
  let links = known;
  const entries: Entries = {
    router(service) {
      const entry = findEntry("ServiceRouter", service);
      return entry?.kind === "ServiceRouter" ? entry : undefined;
    },
    splitter(service) {
      const entry = findEntry("ServiceSplitter", service);
      return entry?.kind === "ServiceSplitter" ? entry : undefined;
    },
    resolver(service) {
      const entry = findEntry("ServiceResolver", service);
      return entry?.kind === "ServiceResolver" ? entry : undefined;
    },
    defaults(service) {
      const entry = findEntry("ServiceDefaults", service);
      return entry?.kind === "ServiceDefaults" ? entry : undefined;
    },
    callers(service) {
      links ??= linksIn(entries, byKey.values());
      const names = links.callers.get(nameKey(service))?.values() ?? [];
      return [...names].flatMap((caller) => entries.defaults(caller) ?? []);
    },
  };
  return entries;
}

function linksIn(entries: Entries, all: Iterable<Foreign>): Links {
  const links = createLinks();
  for (const { metadata } of all) link(links, entries, metadata);
  return links;
}

/** A service, and all whose chains lead through it: those to translate anew when one of its entries changes. */
export function chainsThrough(entries: Entries, { naming }: Links, service: Name): Name[] {
  const found = new Map<string, Name>();
  const open = [service];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const key = nameKey(next);
    if (found.has(key)) continue;
    found.set(key, { namespace: next.namespace, name: next.name });
    open.push(...(naming.get(key)?.values() ?? []), ...upstreamsOf(entries, next));
  }
  return [...found.values()];
}

/** The services that a service's own entries name: what its chain may depend on. */
function namedBy(entries: Entries, service: Name): Name[] {
  const routes = entries.router(service)?.spec.routes ?? [];
  const splits = entries.splitter(service)?.spec.splits ?? [];
  const { redirect, failover = {} } = entries.resolver(service)?.spec ?? {};
  const named = [
    ...routes.flatMap(({ destination }) => destination ?? []),
    ...splits,
    ...(redirect === undefined ? [] : [redirect]),
  ];
  return [
    ...named.map((one) => ({
      namespace: one.namespace ?? service.namespace,
      name: one.service ?? service.name,
    })),
    ...Object.values(failover).flatMap((one) => standInsOf(one, service).map((place) => place.service)),
  ];
}
