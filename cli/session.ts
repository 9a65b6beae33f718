/**
 * What every command has: a client for the mesh that the options name, and
 * the namespace.
 *
 * @module
 */
import type { Command } from "commander";
import { createClient, type Client } from "./client.ts";
import type { Io } from "./io.ts";
import { paint } from "./output.ts";
import { isExposed, resolveSettings, type GlobalOptions } from "./settings.ts";

export interface Session {
  readonly io: Io;
  readonly client: Client;
  /** As `-n` gives it; commands differ in what they do without. */
  readonly namespace: string | undefined;
}

/** Opens the session of a parsed command line. */
export function openSession(command: Command, io: Io): Session {
  const options = command.optsWithGlobals<GlobalOptions>();
  const settings = resolveSettings(options, io);
  if (isExposed(settings)) {
    io.err(`${paint(io, "yellow", "Warning:")} the admin token goes to ${settings.server} unencrypted.\n`);
  }
  return { io, client: createClient(settings), namespace: options.namespace };
}
