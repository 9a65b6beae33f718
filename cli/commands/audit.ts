import type { Command } from "commander";
import { auditList } from "../../shared/wire/admin-access.ts";
import { EXIT, Failure } from "../failure.ts";
import type { Io } from "../io.ts";
import { outputOption, wholeNumber } from "../options.ts";
import { renderData, renderTable } from "../output.ts";
import { openSession } from "../session.ts";
import { addVerify } from "./audit-verify.ts";

interface Options {
  readonly limit: number;
  readonly by?: string;
  readonly before?: string;
  readonly output: "table" | "json" | "yaml";
}

/** Adds `selvedge audit`, and `audit verify`. */
export function addAudit(program: Command, io: Io): void {
  const audit = program
    .command("audit")
    .summary("list who changed what, newest first")
    .description(
      "Changes of configuration have a revision: `selvedge diff` shows what they did. With -o json, lines of the " +
        "log have their hashes; `audit verify` checks them.",
    )
    .option("--limit <n>", "at most so many, up to 1000", wholeNumber, 50)
    .option("--by <principal>", "only what this principal did, such as token/ci-deploy")
    .option("--before <time>", "only what happened before, to go on from there")
    .addOption(outputOption(["table", "json", "yaml"]))
    .action(async ({ limit, by, before, output }: Options, command: Command) => {
      const { client } = openSession(command, io);
      const until = before === undefined ? undefined : instantOf(before);
      const query = { limit: String(limit), principal: by, before: until };
      const { items } = await client.call({ path: "/audit", query, answer: auditList });
      if (output !== "table") return io.out(renderData(output, items));
      const rows = items.map(({ at, principal, action, target, detail, address }) => [
        new Date(at).toISOString(),
        principal,
        action,
        target === "" ? "-" : inBrief(target),
        detail === "" ? "-" : detail,
        address === "" ? "-" : address,
      ]);
      return io.out(renderTable(["AT", "BY", "ACTION", "TARGET", "DETAIL", "FROM"], rows));
    });
  addVerify(audit, io);
}

function instantOf(text: string): string {
  const instant = Date.parse(text);
  if (Number.isNaN(instant))
    throw new Failure(EXIT.usage, [`--before: "${text}" is no time; write it like 2026-11-24T12:00:00Z.`]);
  return String(instant);
}

/** Changes that a line of the table names; -o json has all. */
const MAX_NAMED = 2;

/** The first of the things that were changed at once, and how many more there are. */
function inBrief(target: string): string {
  const changes = target.split(", ");
  const more = changes.length - MAX_NAMED;
  return more <= 1 ? target : `${changes.slice(0, MAX_NAMED).join(", ")} and ${more} more`;
}
