/**
 * The command line as a function: arguments in, exit code out.
 *
 * @module
 */
import { Command, CommanderError } from "commander";
import { addAccess } from "./commands/access.ts";
import { addApply } from "./commands/apply.ts";
import { addAuthz } from "./commands/authz.ts";
import { addAudit } from "./commands/audit.ts";
import { addAuthority } from "./commands/ca.ts";
import { addCanary } from "./commands/canary.ts";
import { addDelete } from "./commands/delete.ts";
import { addDescribe } from "./commands/describe.ts";
import { addDiff } from "./commands/diff.ts";
import { addEndpoints } from "./commands/endpoints.ts";
import { addGet } from "./commands/get.ts";
import { addImport } from "./commands/import.ts";
import { addRevisions } from "./commands/revisions.ts";
import { addRollback } from "./commands/rollback.ts";
import { addRoutes } from "./commands/routes.ts";
import { addServices } from "./commands/services.ts";
import { addStatus } from "./commands/status.ts";
import { addToken } from "./commands/token.ts";
import { addTopology } from "./commands/topology.ts";
import { addVersion } from "./commands/version.ts";
import { VERSION } from "../shared/wire/version.ts";
import { EXIT, Failure, type ExitCode } from "./failure.ts";
import type { Io } from "./io.ts";
import { paint, plain } from "./output.ts";
import { DEFAULT_SERVER } from "./settings.ts";

const COMMANDS = [
  addApply,
  addGet,
  addDescribe,
  addDelete,
  addDiff,
  addImport,
  addRevisions,
  addRollback,
  addServices,
  addEndpoints,
  addRoutes,
  addAuthz,
  addCanary,
  addStatus,
  addTopology,
  addAuthority,
  addToken,
  addAccess,
  addAudit,
  addVersion,
];

/** Runs one command line to its end. Never rejects: every failure is told on standard error. */
export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  try {
    const program = createProgram(io);
    await addDev(program, args);
    await program.parseAsync(args, { from: "user" });
    return EXIT.ok;
  } catch (error) {
    return explain(error, io);
  }
}

function createProgram(io: Io): Command {
  const program = new Command("selvedge")
    .description("Operates a Selvedge mesh.")
    .version(VERSION, "--version", "print the release of this command")
    .option("--server <url>", `the mesh's admin API (SELVEDGE_SERVER, else ${DEFAULT_SERVER})`)
    .option("--token <token>", "the admin token (SELVEDGE_ADMIN_TOKEN, else .selvedge/admin-token)")
    .option("--request-timeout <duration>", "how long to wait for an answer (30s)")
    .option("-n, --namespace <name>", "the namespace")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: io.out, writeErr: io.err, getOutHasColors: () => false })
    // Commands inherit both of these from the program, so that they come first.
    .exitOverride();
  for (const add of COMMANDS) add(program, io);
  return program;
}

/** The local runtime is large, and other commands start without it: it is loaded when it may be meant. */
async function addDev(program: Command, args: readonly string[]): Promise<void> {
  const isOther = program.commands.some((command) => args.includes(command.name()));
  if (isOther && !args.includes("dev")) return;
  const { addDevCommand } = await import("./dev/dev.ts");
  addDevCommand(program);
}

function explain(error: unknown, io: Io): ExitCode {
  // Commander has already said what is wrong with the command line, or printed the help.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof Failure) {
    const [first, ...rest] = error.lines.map(plain);
    if (first !== undefined) io.err(`${paint(io, "red", "Error:")} ${[first, ...rest].join("\n")}\n`);
    return error.exitCode;
  }
  io.err(`Unexpected error, please report it: ${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT.failure;
}
