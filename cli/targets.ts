/**
 * What a command line means by `svc`, `httproute reviews` or `ep/reviews-v1`.
 *
 * @module
 */
import { NO_NAMESPACE } from "../shared/wire/admin.ts";
import type { ResourceRef } from "../shared/wire/resource.ts";
import { findKind, kindsOf, type KindInfo } from "../shared/wire/resources/kinds.ts";
import { EXIT, Failure } from "./failure.ts";

/** Where namespaced resources are when `-n` says nothing, as with kubectl. */
export const DEFAULT_NAMESPACE = "default";

/** The resources of a kind that are meant; all of them when `names` is empty. */
export interface Target {
  readonly info: KindInfo;
  readonly names: readonly string[];
}

/** Reads `KIND[,KIND…] [NAME…]` or `KIND/NAME…`. `all` stands for every kind that lives in a namespace. */
export function parseTargets(args: readonly string[]): readonly Target[] {
  if (args.some((arg) => arg.includes("/"))) return args.map(parsePair);
  const [kinds = "", ...names] = args;
  if (kinds === "all" && names.length === 0) {
    return kindsOf()
      .filter((info) => info.isNamespaced)
      .map((info) => ({ info, names }));
  }
  return kinds.split(",").map((kind) => ({ info: requireKind(kind), names }));
}

function parsePair(arg: string): Target {
  const [kind = "", name = "", ...rest] = arg.split("/");
  if (name === "" || rest.length > 0) {
    throw new Failure(EXIT.usage, [
      `"${arg}" is not KIND/NAME; all or none of the arguments may have that form.`,
    ]);
  }
  return { info: requireKind(kind), names: [name] };
}

/** The kind of a name; a usage failure lists the kinds that there are. */
export function requireKind(name: string): KindInfo {
  const info = findKind(name);
  if (info !== undefined) return info;
  const known = kindsOf().map(({ plural, shortNames }) => `  ${[plural, ...shortNames].join(", ")}`);
  throw new Failure(EXIT.usage, [
    `There is no kind "${name}". The kinds and their short names are:`,
    ...known,
  ]);
}

/** The reference to a resource of a kind. */
export function refTo(info: KindInfo, name: string, namespace: string | undefined): ResourceRef {
  const place = info.isNamespaced ? (namespace ?? DEFAULT_NAMESPACE) : "";
  return { apiVersion: info.apiVersion, kind: info.kind, namespace: place, name };
}

/** The path of a resource below the API's prefix. */
export function resourcePath(ref: ResourceRef): string {
  const steps = [ref.kind, ref.namespace === "" ? NO_NAMESPACE : ref.namespace, ref.name];
  return `/resources/${steps.map(encodeURIComponent).join("/")}`;
}
