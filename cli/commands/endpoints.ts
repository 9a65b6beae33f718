import type { Command } from "commander";
import { lease } from "../../shared/wire/admin.ts";
import { EXIT, Failure } from "../failure.ts";
import type { Io } from "../io.ts";
import { plain } from "../output.ts";
import { openSession } from "../session.ts";

/** Adds `selvedge endpoints`. */
export function addEndpoints(program: Command, io: Io): void {
  const endpoints = program.command("endpoints").summary("take registered endpoints out of service");
  endpoints
    .command("drain")
    .summary("keep new calls from a registered endpoint until it registers anew")
    .description("Calls that are on their way end as they would. The endpoint's lease and heartbeats go on.")
    .argument("<service>", "NAMESPACE/SERVICE, or SERVICE with -n")
    .argument("<id>", "the id with which the endpoint registered")
    .action(async (service: string, id: string, _: unknown, command: Command) => {
      const { client, namespace = "default" } = openSession(command, io);
      const steps = service.includes("/") ? service.split("/") : [namespace, service];
      if (steps.length !== 2 || steps.includes("")) {
        throw new Failure(EXIT.usage, [`Write the service as NAMESPACE/SERVICE, not ${service}.`]);
      }
      const path = `/services/${steps.map(encodeURIComponent).join("/")}/endpoints/${encodeURIComponent(id)}/drain`;
      await client.call({ method: "POST", path, answer: lease });
      io.out(`endpoint "${plain(id)}" of ${plain(steps.join("/"))} is draining\n`);
    });
}
