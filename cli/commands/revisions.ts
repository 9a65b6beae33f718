import type { Command } from "commander";
import { revisionList } from "../../shared/wire/admin.ts";
import type { ChangeKind } from "../../shared/wire/registry-rpc.ts";
import { ageText } from "../duration.ts";
import type { Io } from "../io.ts";
import { outputOption, wholeNumber } from "../options.ts";
import { renderData, renderTable } from "../output.ts";
import { openSession } from "../session.ts";

interface Options {
  readonly limit: number;
  readonly before?: number;
  readonly output: "table" | "json" | "yaml";
}

/** Adds `selvedge revisions`. */
export function addRevisions(program: Command, io: Io): void {
  program
    .command("revisions")
    .summary("list the latest revisions, newest first")
    .option("--limit <n>", "at most so many, up to 1000", wholeNumber, 20)
    .option("--before <revision>", "only earlier ones, to go on from there", wholeNumber)
    .addOption(outputOption(["table", "json", "yaml"]))
    .action(async ({ limit, before, output }: Options, command: Command) => {
      const { client } = openSession(command, io);
      const query = { limit: String(limit), ...(before === undefined ? {} : { before: String(before) }) };
      const { items } = await client.call({ path: "/revisions", query, answer: revisionList });
      if (output !== "table") return io.out(renderData(output, items));
      const rows = items.map(({ revision, at, author, reason, changes }) => [
        String(revision),
        ageText(Date.now() - at),
        author,
        reason,
        summary(changes),
      ]);
      return io.out(renderTable(["REVISION", "AGE", "AUTHOR", "REASON", "CHANGES"], rows));
    });
}

/** `2 created, 1 deleted`. */
function summary(changes: readonly { readonly change: ChangeKind }[]): string {
  const counts = Map.groupBy(changes, ({ change }) => change);
  return [...counts].map(([change, list]) => `${list.length} ${change}`).join(", ");
}
