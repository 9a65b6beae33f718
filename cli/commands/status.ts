import type { Command } from "commander";
import { meshStatus } from "../../shared/wire/admin.ts";
import type { Io } from "../io.ts";
import { outputOption } from "../options.ts";
import { plain, renderData } from "../output.ts";
import { openSession } from "../session.ts";

/** Adds `selvedge status`. */
export function addStatus(program: Command, io: Io): void {
  program
    .command("status")
    .summary("show the mesh in numbers")
    .addOption(outputOption(["table", "json", "yaml"]))
    .action(async ({ output }: { output: "table" | "json" | "yaml" }, command: Command) => {
      const { client } = openSession(command, io);
      const status = await client.call({ path: "/status", answer: meshStatus });
      if (output !== "table") return io.out(renderData(output, status));
      const rows = [
        ["Mesh", client.server],
        ["Trust domain", status.trustDomain],
        ["Revision", String(status.revision)],
        ["Snapshot", `version ${status.version}`],
        ["Resources", String(status.resources)],
        ["Services", String(status.services)],
        ["Endpoints", `${status.healthyEndpoints} of ${status.endpoints} healthy`],
      ];
      return io.out(rows.map(([name, value = ""]) => `${`${name}:`.padEnd(15)}${plain(value)}\n`).join(""));
    });
}
