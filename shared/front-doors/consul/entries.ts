/**
 * Config entries, found by the service that they are about.
 *
 * @module
 */
import type { Foreign } from "../translation.ts";
import { namedBy, type Entries, type Name } from "./chain.ts";
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

/** Finds entries with a function from their keys. */
export function entriesBy(find: (key: string) => Foreign | undefined): Entries {
  const findEntry = (kind: Entry["kind"], service: Name): Entry | undefined => {
    const found = find(entryKey(kind, service));
    return found !== undefined && isEntry(found) ? found : undefined;
  };
  return {
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
  };
}

/** A service, and all whose chains lead through it: those to translate anew when one of its entries changes. */
export function chainsThrough(entries: Entries, all: Iterable<Name>, service: Name): Name[] {
  const callers = new Map<string, Name[]>();
  for (const one of all) {
    for (const { namespace, name } of namedBy(entries, one)) {
      const key = `${namespace}/${name}`;
      callers.set(key, [...(callers.get(key) ?? []), one]);
    }
  }
  const found = new Map<string, Name>();
  const open = [service];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const key = `${next.namespace}/${next.name}`;
    if (found.has(key)) continue;
    found.set(key, { namespace: next.namespace, name: next.name });
    open.push(...(callers.get(key) ?? []));
  }
  return [...found.values()];
}
