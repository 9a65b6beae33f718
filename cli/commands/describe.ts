import type { Command } from "commander";
import { resource, revisionList, serviceStatus } from "../../shared/wire/admin.ts";
import { resourceKey, type ResourceRef } from "../../shared/wire/resource.ts";
import { EXIT, Failure } from "../failure.ts";
import type { Io } from "../io.ts";
import { displayKind, renderData, renderTable, type Resource } from "../output.ts";
import { endpointTable } from "../endpoint-table.ts";
import { openSession, type Session } from "../session.ts";
import { parseTargets, refTo, resourcePath } from "../targets.ts";

/** How many of the latest revisions are searched for changes of a resource. */
const HISTORY = 200;

/** Adds `selvedge describe`. */
export function addDescribe(program: Command, io: Io): void {
  program
    .command("describe")
    .summary("tell all about resources: specification, endpoints, latest changes")
    .argument("<kind>", "kind or KIND/NAME")
    .argument("[name...]", "names")
    .action(async (kind: string, names: readonly string[], _: unknown, command: Command) => {
      const session = openSession(command, io);
      const refs = parseTargets([kind, ...names]).flatMap((target) =>
        target.names.map((name) => refTo(target.info, name, session.namespace)),
      );
      if (refs.length === 0)
        throw new Failure(EXIT.usage, ["Name what to describe: KIND NAME or KIND/NAME."]);
      const texts = await Promise.all(refs.map((ref) => describe(session, ref)));
      io.out(texts.join("\n"));
    });
}

async function describe(session: Session, ref: ResourceRef): Promise<string> {
  const item = await session.client.call({ path: resourcePath(ref), answer: resource });
  const [endpoints, changes] = await Promise.all([endpointsOf(session, ref), changesOf(session, ref)]);
  const status = item.status === undefined ? "" : `Status:\n${indented(item.status)}`;
  return `${headOf(item)}Specification:\n${indented(item.spec)}${status}${endpoints}${changes}`;
}

function indented(value: unknown): string {
  return renderData("yaml", value).replace(/^(?=.)/gm, "  ");
}

function headOf(item: Resource): string {
  const { metadata } = item;
  const rows = [
    ["Name", metadata.name],
    ["Namespace", metadata.namespace],
    ["Kind", displayKind(item)],
    ["Labels", pairs(metadata.labels)],
    ["Annotations", pairs(metadata.annotations)],
    ["Created", metadata.creationTimestamp],
    ["Generation", String(metadata.generation)],
  ];
  return rows
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${`${name}:`.padEnd(15)}${value}\n`)
    .join("");
}

function pairs(map: Readonly<Record<string, string>>): string {
  return Object.entries(map)
    .map(([name, value]) => `${name}=${value}`)
    .join(", ");
}

async function endpointsOf(session: Session, ref: ResourceRef): Promise<string> {
  if (ref.kind !== "Service") return "";
  const path = `/services/${encodeURIComponent(ref.namespace)}/${encodeURIComponent(ref.name)}`;
  const { endpoints } = await session.client.call({ path, answer: serviceStatus });
  if (endpoints.length === 0) return "Endpoints:     none\n";
  return `Endpoints:\n${endpointTable(session.io, endpoints).replace(/^(?=.)/gm, "  ")}`;
}

async function changesOf(session: Session, ref: ResourceRef): Promise<string> {
  const query = { limit: String(HISTORY) };
  const { items } = await session.client.call({ path: "/revisions", query, answer: revisionList });
  const rows = items.flatMap(({ revision, at, author, changes }) =>
    changes
      .filter((change) => resourceKey(change.ref) === resourceKey(ref))
      .map(({ change }) => [String(revision), change, author, new Date(at).toISOString()]),
  );
  if (rows.length === 0) return "";
  const table = renderTable(["REVISION", "CHANGE", "AUTHOR", "AT"], rows);
  return `Changes:\n${table.replace(/^(?=.)/gm, "  ")}`;
}
