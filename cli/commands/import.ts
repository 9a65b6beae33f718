import type { Command } from "commander";
import { importDocuments } from "../../shared/compile/import.ts";
import { loadDocuments } from "../documents.ts";
import { EXIT, Failure } from "../failure.ts";
import type { Io } from "../io.ts";
import { collect } from "../options.ts";
import { paint, plain, renderData } from "../output.ts";
import type { GlobalOptions } from "../settings.ts";
import { DEFAULT_NAMESPACE } from "../targets.ts";

interface Options {
  readonly filename: readonly string[];
  readonly recursive?: boolean;
}

/** Adds `selvedge import`. It asks no mesh: what a document becomes depends on the document alone. */
export function addImport(program: Command, io: Io): void {
  program
    .command("import")
    .summary("print what documents of Istio and Consul become")
    .description(
      "Prints the translated documents as YAML and notes on standard error; other documents pass unchanged. " +
        "apply takes the originals as they are: import is for looking, or for leaving them behind.",
    )
    .requiredOption("-f, --filename <file>", "file, folder or - for standard input; may be repeated", collect)
    .option("-R, --recursive", "look into the folders of a folder")
    .action(async (options: Options, command: Command) => {
      const { namespace } = command.optsWithGlobals<GlobalOptions>();
      const documents = await loadDocuments(options.filename, options, io);
      const imported = importDocuments(documents, namespace ?? DEFAULT_NAMESPACE);
      if ("problems" in imported) {
        const lines = imported.problems.map(({ path, message }) => `  ${path}: ${message}`);
        throw new Failure(EXIT.failure, ["The documents cannot be translated:", ...lines]);
      }
      io.out(imported.documents.map((document) => renderData("yaml", document)).join("---\n"));
      for (const { path, message } of imported.notes) {
        io.err(`${paint(io, "yellow", "Note:")} ${plain(`${path}: ${message}`)}\n`);
      }
    });
}
