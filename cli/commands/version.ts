import type { Command } from "commander";
import { healthAnswer } from "../../shared/wire/admin.ts";
import { VERSION } from "../../shared/wire/version.ts";
import type { Io } from "../io.ts";
import { plain } from "../output.ts";
import { openSession } from "../session.ts";

/** Adds `selvedge version`. */
export function addVersion(program: Command, io: Io): void {
  program
    .command("version")
    .summary("show the releases of this command and of the mesh")
    .option("--client", "this command only")
    .action(async ({ client: isClientOnly }: { client?: boolean }, command: Command) => {
      io.out(`Client: ${VERSION}\n`);
      if (isClientOnly === true) return;
      const { client } = openSession(command, io);
      const { version } = await client.call({ path: "/healthz", answer: healthAnswer });
      io.out(`Mesh:   ${plain(version)} at ${client.server}\n`);
    });
}
