import type { Command } from "commander";
import { applyAnswer } from "../../shared/wire/admin.ts";
import { loadDocuments } from "../documents.ts";
import { EXIT, Failure } from "../failure.ts";
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
  readonly maxFlips?: number;
  readonly force?: boolean;
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
    .option(
      "--max-flips <n>",
      "apply only if at most so many recorded calls would be decided otherwise",
      wholeNumber,
    )
    .option("--force", "with --max-flips: apply even so, and warn of them")
    .action(async (options: Options, command: Command) => {
      if (options.force === true && options.maxFlips === undefined)
        throw new Failure(EXIT.usage, ["--force is of use with --max-flips only."]);
      const { client, namespace } = openSession(command, io);
      const documents = await loadDocuments(options.filename, options, io);
      const body = {
        documents,
        defaultNamespace: namespace ?? DEFAULT_NAMESPACE,
        dryRun: options.dryRun,
        ifRevision: options.ifRevision,
        prune: options.prune,
        maxFlips: options.maxFlips,
        force: options.force,
      };
      const answer = await client.call({ method: "POST", path: "/apply", body, answer: applyAnswer });
      printChanges(io, answer, options.dryRun === true ? " (dry run)" : "");
      if (options.dryRun !== true)
        io.err(`${paint(io, "cyan", `Revision ${answer.revision}`)} is in force.\n`);
    });
}
