import type { Command } from "commander";
import { auditList } from "../../shared/wire/admin.ts";
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
      const until = before === undefined ? undefined : String(Date.parse(before));
      const query = { limit: String(limit), principal: by, before: until };
      const { items } = await client.call({ path: "/audit", query, answer: auditList });
      if (output !== "table") return io.out(renderData(output, items));
      const rows = items.map(({ at, principal, action, target, detail, address }) => [
        new Date(at).toISOString(),
        principal,
        action,
        target === "" ? "-" : target,
        detail === "" ? "-" : detail,
        address === "" ? "-" : address,
      ]);
      return io.out(renderTable(["AT", "BY", "ACTION", "TARGET", "DETAIL", "FROM"], rows));
    });
  addVerify(audit, io);
}
