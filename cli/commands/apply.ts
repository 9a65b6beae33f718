import type { Command } from "commander";
import { applyAnswer } from "../../shared/wire/admin.ts";
import { loadDocuments } from "../documents.ts";
import type { Io } from "../io.ts";
import { collect, wholeNumber } from "../options.ts";
import { paint, printChanges } from "../output.ts";
import { openSession } from "../session.ts";
import { DEFAULT_NAMESPACE } from "../targets.ts";

interface Options {
  readonly filename: readonly string[];
  readonly recursive?: boolean;
  readonly dryRun?: boolean;
  readonly ifRevision?: number;
  readonly prune?: boolean;
}

/** Adds `selvedge apply`. */
export function addApply(program: Command, io: Io): void {
  program
    .command("apply")
    .summary("apply configuration from files, all of it or none")
    .description(
      "Applies every document as one revision. -n is the namespace of documents that name none " +
        `(${DEFAULT_NAMESPACE} unless given).`,
    )
    .requiredOption("-f, --filename <file>", "file, folder or - for standard input; may be repeated", collect)
    .option("-R, --recursive", "look into the folders of a folder")
    .option("--dry-run", "validate and tell what would change")
    .option("--if-revision <n>", "apply only if this is the current revision", wholeNumber)
    .option("--prune", "delete every other resource of the mesh: its configuration is exactly the files")
    .action(async (options: Options, command: Command) => {
      const { client, namespace } = openSession(command, io);
      const documents = await loadDocuments(options.filename, options, io);
      const body = {
        documents,
        defaultNamespace: namespace ?? DEFAULT_NAMESPACE,
        dryRun: options.dryRun,
        ifRevision: options.ifRevision,
        prune: options.prune,
      };
      const answer = await client.call({ method: "POST", path: "/apply", body, answer: applyAnswer });
      printChanges(io, answer, options.dryRun === true ? " (dry run)" : "");
      if (options.dryRun !== true)
        io.err(`${paint(io, "cyan", `Revision ${answer.revision}`)} is in force.\n`);
    });
}
