/**
 * What commands print: tables, YAML, JSON, names.
 *
 * @module
 */
import { stringify } from "yaml";
import type { z } from "zod";
import type { resource } from "../shared/wire/admin.ts";
import type { ResourceRef } from "../shared/wire/resource.ts";
import type { Change } from "../shared/wire/registry-rpc.ts";
import type { Io } from "./io.ts";

export type Resource = z.infer<typeof resource>;

const COLORS = { red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** Colors text where a person reads it: on a terminal, unless NO_COLOR is set (no-color.org). */
export function paint(io: Io, color: keyof typeof COLORS, text: string): string {
  const isWanted = io.isTerminal && (io.env["NO_COLOR"] ?? "") === "";
  return isWanted ? `\u001b[${COLORS[color]}m${text}\u001b[0m` : text;
}

/** Text from the mesh as one line that cannot steer the terminal. */
export function plain(text: string): string {
  return text.replace(/\p{Cc}/gu, "\ufffd");
}

/** Columns as wide as their widest cell, three blanks apart, as kubectl prints them. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows.map((row) => row.map(plain))];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd((widths[column] ?? 0) + 3))
          .join("")
          .trimEnd()}\n`,
    )
    .join("");
}

/** A value for programs. YAML is quoted for readers of YAML 1.1 too, kubectl's: `on` stays a text there. */
export function renderData(format: "json" | "yaml", value: unknown): string {
  return format === "json"
    ? `${JSON.stringify(value, null, 2)}\n`
    : stringify(value, { lineWidth: 0, version: "1.1", aliasDuplicateObjects: false });
}

/** `httproute.gateway.networking.k8s.io/reviews`, as kubectl names what it changed. */
export function displayName(ref: Pick<ResourceRef, "apiVersion" | "kind" | "name">): string {
  return `${displayKind(ref)}/${ref.name}`;
}

/** `httproute.gateway.networking.k8s.io`; core kinds have no group. */
export function displayKind(ref: Pick<ResourceRef, "apiVersion" | "kind">): string {
  const slash = ref.apiVersion.indexOf("/");
  const group = slash < 0 ? "" : `.${ref.apiVersion.slice(0, slash)}`;
  return ref.kind.toLowerCase() + group;
}

/** One line per change, then the warnings on standard error. */
export function printChanges(
  io: Io,
  answer: { readonly changes: readonly Change[]; readonly warnings: readonly string[] },
  suffix = "",
): void {
  for (const { ref, change } of answer.changes) io.out(`${plain(displayName(ref))} ${change}${suffix}\n`);
  for (const warning of answer.warnings) io.err(`${paint(io, "yellow", "Warning:")} ${plain(warning)}\n`);
}

/** A resource as a document that can be applied again: empty metadata is left out. */
export function toDocument(resource: Resource): unknown {
  const { namespace, labels, annotations, ...metadata } = resource.metadata;
  return {
    apiVersion: resource.apiVersion,
    kind: resource.kind,
    metadata: {
      name: metadata.name,
      ...(namespace === "" ? {} : { namespace }),
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      uid: metadata.uid,
      generation: metadata.generation,
      creationTimestamp: metadata.creationTimestamp,
    },
    spec: resource.spec,
    ...(resource.status === undefined ? {} : { status: resource.status }),
  };
}
