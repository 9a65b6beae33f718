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

/** Entries by their keys. */
export function entriesIn(byKey: ReadonlyMap<string, Foreign>): Entries {
  const findEntry = (kind: Entry["kind"], service: Name): Entry | undefined => {
    const found = byKey.get(entryKey(kind, service));
    return found !== undefined && isEntry(found) ? found : undefined;
  };
  let callers: ReadonlyMap<string, readonly Foreign<ServiceDefaultsSpec>[]> | undefined;
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
    callers({ namespace, name }) {
      callers ??= callersIn(entries, byKey.values());
      return callers.get(`${namespace}/${name}`) ?? [];
    },
  };
  return entries;
}

/** By the service that they call. */
function callersIn(entries: Pick<Entries, "defaults">, all: Iterable<Foreign>) {
  const callers = new Map<string, Foreign<ServiceDefaultsSpec>[]>();
  for (const { kind, metadata } of all) {
    const defaults = kind === "ServiceDefaults" ? entries.defaults(metadata) : undefined;
    if (defaults === undefined) continue;
    for (const { namespace, name } of upstreamsOf(entries, metadata)) {
      const key = `${namespace}/${name}`;
      callers.set(key, [...(callers.get(key) ?? []), defaults]);
    }
  }
  return callers;
}

/** A service, and all whose chains lead through it: those to translate anew when one of its entries changes. */
export function chainsThrough(entries: Entries, all: Iterable<Name>, service: Name): Name[] {
  const dependants = new Map<string, Name[]>();
  const depend = ({ namespace, name }: Name, one: Name) => {
    const key = `${namespace}/${name}`;
    dependants.set(key, [...(dependants.get(key) ?? []), one]);
  };
  for (const one of all) {
    for (const named of namedBy(entries, one)) depend(named, one);
    for (const upstream of upstreamsOf(entries, one)) depend(one, upstream);
  }
  const found = new Map<string, Name>();
  const open = [service];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const key = `${next.namespace}/${next.name}`;
    if (found.has(key)) continue;
    found.set(key, { namespace: next.namespace, name: next.name });
    open.push(...(dependants.get(key) ?? []));
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
