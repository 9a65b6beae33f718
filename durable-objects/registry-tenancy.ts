/**
 * What those may not do who own a namespace or several, not the mesh: change
 * what is another's, and use bindings of the mesh's Worker that are not theirs.
 *
 * @module
 */
import { intersectHost } from "../shared/engine/host.ts";
import type { Listener, Unit } from "../shared/engine/snapshot.ts";
import type { ParsedResource } from "../shared/wire/parse.ts";
import type { FieldProblem } from "../shared/wire/problem.ts";
import { resourceKey } from "../shared/wire/resource.ts";
import { endpointSpec } from "../shared/wire/resources/endpoint.ts";
import type { ApplyRequest } from "../shared/wire/registry-rpc.ts";
import { refOf } from "./registry-change.ts";

/** Resources of one namespace that an owner of it may have. A mesh's admin is not limited. */
const MAX_OWNED = 5_000;

/** Which namespaces may use a binding of the mesh's Worker, by its name: `{"CART": ["shop"]}`. */
export type BindingOwners = Readonly<Record<string, readonly string[]>>;

/** Reads the variable `SELVEDGE_BINDING_NAMESPACES`; what cannot be read gives nobody anything. */
export function readOwners(text: string | undefined): BindingOwners {
  if (text === undefined || text === "") return {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== "object" || parsed === null) return {};
    const entries = Object.entries(parsed).flatMap(([name, namespaces]) =>
      Array.isArray(namespaces)
        ? [[name, namespaces.filter((each) => typeof each === "string")] as const]
        : [],
    );
    return Object.fromEntries(entries);
  } catch (error) {
    console.error("registry: SELVEDGE_BINDING_NAMESPACES is no JSON", error);
    return {};
  }
}

/** What there is to know about who owns what. */
export interface Ownership {
  readonly bindings: BindingOwners;
  /** How many resources a namespace would have with these keys (`resourceKey`). */
  countWith(namespace: string, keys: readonly string[]): number;
}

/** What of the documents an apply may not change, if it is for some `namespaces` only. */
export function trespasses(
  documents: readonly ParsedResource[],
  { namespaces }: Pick<ApplyRequest, "namespaces">,
  { bindings, countWith }: Ownership,
): FieldProblem[] {
  if (namespaces === undefined) return [];
  const problems = documents.flatMap((document) => trespassesOf(document, namespaces, bindings));
  if (problems.length > 0) return problems;
  const byNamespace = Map.groupBy(documents, ({ metadata }) => metadata.namespace);
  return [...byNamespace]
    .filter(([namespace, added]) => countWith(namespace, added.map(keyOf)) > MAX_OWNED)
    .map(([namespace]) => tooMany(namespace));
}

function trespassesOf(
  document: ParsedResource,
  namespaces: readonly string[],
  owners: BindingOwners,
): FieldProblem[] {
  const { namespace, name } = document.metadata;
  const path = `${document.kind} ${namespace === "" ? "" : `${namespace}/`}${name}`;
  if (namespace === "") return [{ path, message: "only an admin changes what has no namespace" }];
  if (!namespaces.includes(namespace)) return [{ path, message: "is not of your namespaces" }];
  return bindingsOf(document)
    .filter(({ binding }) => !isOwner(owners, binding, namespace))
    .map(({ field, binding }) => ({
      path: `${path}: spec.${field}`,
      message: notTheirs(binding, namespace),
    }));
}

/** The same of an endpoint that registers itself, by its address. */
export function trespassesAt(address: string, namespace: string, owners: BindingOwners): FieldProblem[] {
  const binding = bindingAt(address);
  if (binding === null || isOwner(owners, binding, namespace)) return [];
  return [{ path: "address", message: notTheirs(binding, namespace) }];
}

function isOwner(owners: BindingOwners, binding: string, namespace: string): boolean {
  return Object.hasOwn(owners, binding) && owners[binding]?.includes(namespace) === true;
}

function notTheirs(binding: string, namespace: string): string {
  return `${binding} is not ${namespace}'s: ask for it in SELVEDGE_BINDING_NAMESPACES of the mesh's Worker`;
}

function keyOf(document: ParsedResource): string {
  return resourceKey(refOf(document));
}

function tooMany(namespace: string): FieldProblem {
  const message = `would have more than ${MAX_OWNED} resources: delete some, or ask an admin of the mesh`;
  return { path: `Namespace ${namespace}`, message };
}

/**
 * Listeners by which an owner of `namespaces` would take hosts from gateways
 * of others, its own or one that invited it to add listeners. All gateways
 * have one address here, so whoever listens to a host first has it, and what a
 * wildcard covers; an admin may decide otherwise.
 */
export function seizures(
  before: Unit | null,
  after: Unit | null,
  namespaces: readonly string[],
): FieldProblem[] {
  const old = new Set(listenersIn(before).map(nameOfListener));
  const isOwn = (listener: Listener): boolean => namespaces.includes(namespaceOf(ownerOf(listener)));
  const all = listenersIn(after);
  const others = all.filter((listener) => !isOwn(listener));
  return all
    .filter((listener) => isOwn(listener) && !old.has(nameOfListener(listener)))
    .flatMap((listener) => {
      const { id, gateway, hostname } = listener;
      // Within a gateway its owner has invited whoever adds listeners, and Gateway API says who wins.
      const taken = others.find(
        (other) => other.gateway !== gateway && intersectHost(other.hostname, hostname) !== null,
      );
      if (taken === undefined) return [];
      const owner = ownerOf(listener);
      const kind = owner === gateway ? "Gateway" : "ListenerSet";
      const message = `${hostname} is served by ${taken.gateway} already, which is not yours: attach routes there`;
      return [{ path: `${kind} ${owner}: listener ${id.slice(id.lastIndexOf("/") + 1)}`, message }];
    });
}

/** The Gateway (`namespace/name`) of a listener, or the ListenerSet that adds it: what stands before its name. */
export function ownerOf({ id, gateway }: Pick<Listener, "id" | "gateway">): string {
  const inside = id.slice(gateway.length + 1);
  const slash = inside.lastIndexOf("/");
  return slash === -1 ? gateway : inside.slice(0, slash);
}

function listenersIn(unit: Unit | null): readonly Listener[] {
  return unit?.kind === "directory" ? unit.listeners : [];
}

/** With its host: another host at the same place is another claim. */
function nameOfListener({ id, hostname }: Listener): string {
  return `${id} ${hostname}`;
}

function namespaceOf(gateway: string): string {
  return gateway.slice(0, gateway.indexOf("/"));
}

/** A binding that is somebody's Worker, or somebody's certificate, would be called with the mesh's own authority. */
function bindingsOf({ kind, spec }: ParsedResource): { readonly field: string; readonly binding: string }[] {
  if (kind !== "Endpoint") return [];
  const { address, clientCertificate } = endpointSpec.parse(spec);
  const binding = bindingAt(address);
  return [
    ...(binding === null ? [] : [{ field: "address", binding }]),
    ...(clientCertificate === undefined ? [] : [{ field: "clientCertificate", binding: clientCertificate }]),
  ];
}

/** The Worker of an address, as `BindingOwners` names it; `null` for an origin. */
function bindingAt(address: string): string | null {
  const [scheme, rest = ""] = address.split(":");
  if (scheme === "binding") return rest;
  return scheme === "dispatch" ? address : null;
}
