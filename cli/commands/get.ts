import type { Command } from "commander";
import { resource, resourceList } from "../../shared/wire/admin.ts";
import { kindsOf } from "../../shared/wire/resources/kinds.ts";
import { columnsOf } from "../columns.ts";
import type { Io } from "../io.ts";
import { outputOption } from "../options.ts";
import { displayName, renderData, renderTable, toDocument, type Resource } from "../output.ts";
import { openSession, type Session } from "../session.ts";
import { DEFAULT_NAMESPACE, parseTargets, refTo, resourcePath, type Target } from "../targets.ts";

interface Options {
  readonly allNamespaces?: boolean;
  readonly output: "table" | "wide" | "yaml" | "json" | "name";
}

/** What a target stands for, as it is printed. */
interface Found {
  readonly target: Target;
  readonly items: readonly Resource[];
}

/** Adds `selvedge get`. */
export function addGet(program: Command, io: Io): void {
  program
    .command("get")
    .summary("list resources, or show some of them")
    .description(`Kinds, with their short names: ${kindNames()}; or all.`)
    .argument("<kind>", "kind, KIND,KIND or KIND/NAME")
    .argument("[name...]", "all of the namespace unless given")
    .option("-A, --all-namespaces", "in every namespace")
    .addOption(outputOption(["table", "wide", "yaml", "json", "name"]))
    .action(async (kind: string, names: readonly string[], options: Options, command: Command) => {
      const session = openSession(command, io);
      const targets = parseTargets([kind, ...names]);
      const found = await Promise.all(targets.map((target) => find(session, target, options)));
      print(session, found, options);
    });
}

function kindNames(): string {
  return kindsOf()
    .map(({ plural, shortNames }) =>
      shortNames.length === 0 ? plural : `${plural} (${shortNames.join(", ")})`,
    )
    .join(", ");
}

async function find(session: Session, target: Target, options: Options): Promise<Found> {
  const { client, namespace } = session;
  const { info, names } = target;
  if (names.length > 0) {
    const paths = names.map((name) => resourcePath(refTo(info, name, namespace)));
    return { target, items: await Promise.all(paths.map((path) => client.call({ path, answer: resource }))) };
  }
  const isEverywhere = options.allNamespaces === true || !info.isNamespaced;
  const query = { kind: info.kind, namespace: isEverywhere ? undefined : (namespace ?? DEFAULT_NAMESPACE) };
  const { items } = await client.call({ path: "/resources", query, answer: resourceList });
  return { target, items };
}

function print(session: Session, found: readonly Found[], options: Options): void {
  const { io } = session;
  const items = found.flatMap((each) => each.items);
  const { output } = options;
  if (output === "json" || output === "yaml") {
    io.out(renderData(output, isSingle(found) ? toDocument(only(items)) : toList(items)));
  } else if (output === "name") {
    io.out(items.map((item) => `${displayName(refOf(item))}\n`).join(""));
  } else if (items.length === 0) {
    const place = options.allNamespaces
      ? "in the mesh"
      : `in namespace ${session.namespace ?? DEFAULT_NAMESPACE}`;
    io.err(`No resources found ${place}.\n`);
  } else {
    const tables = found.filter((each) => each.items.length > 0);
    io.out(tables.map((each) => table(each, options, tables.length > 1)).join("\n"));
  }
}

/** One resource was asked for by name: it is printed by itself, not in a list. */
function isSingle(found: readonly Found[]): boolean {
  return found.length === 1 && found[0]?.target.names.length === 1;
}

function only(items: readonly Resource[]): Resource {
  const [item] = items;
  if (item === undefined) throw new Error("a single target has a single item");
  return item;
}

function toList(items: readonly Resource[]): unknown {
  return { apiVersion: "v1", kind: "List", items: items.map(toDocument) };
}

function table(found: Found, options: Options, isMixed: boolean): string {
  const { info } = found.target;
  const hasNamespace = options.allNamespaces === true && info.isNamespaced;
  const columns = columnsOf(info.kind, options.output === "wide");
  const head = [...(hasNamespace ? ["NAMESPACE"] : []), "NAME", ...columns.map(({ title }) => title)];
  const rows = found.items.map((item) => {
    const { name, namespace } = item.metadata;
    const shown = isMixed ? displayName(refOf(item)) : name;
    return [...(hasNamespace ? [namespace] : []), shown, ...columns.map(({ cell }) => cell(item))];
  });
  return renderTable(head, rows);
}

function refOf(item: Resource): { apiVersion: string; kind: string; name: string } {
  return { apiVersion: item.apiVersion, kind: item.kind, name: item.metadata.name };
}
