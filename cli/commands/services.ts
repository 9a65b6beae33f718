import type { Command } from "commander";
import { serviceList } from "../../shared/wire/admin.ts";
import type { ServiceStatus } from "../../shared/wire/registry-rpc.ts";
import { healthText } from "../endpoint-table.ts";
import type { Io } from "../io.ts";
import { outputOption } from "../options.ts";
import { renderData, renderTable } from "../output.ts";
import { openSession } from "../session.ts";

/** Adds `selvedge services`. */
export function addServices(program: Command, io: Io): void {
  program
    .command("services")
    .summary("list services and how many of their endpoints are healthy")
    .description("Lists the services of all namespaces, or of the one that -n names.")
    .addOption(outputOption(["table", "json", "yaml"]))
    .action(async ({ output }: { output: "table" | "json" | "yaml" }, command: Command) => {
      const { client, namespace } = openSession(command, io);
      const { items } = await client.call({ path: "/services", query: { namespace }, answer: serviceList });
      if (output !== "table") return io.out(renderData(output, items));
      return io.out(renderTable(["NAMESPACE", "NAME", "PORTS", "HEALTHY", "VERSIONS"], items.map(row)));
    });
}

function row({ namespace, name, ports, endpoints }: ServiceStatus): readonly string[] {
  const healthy = endpoints.filter((endpoint) => healthText(endpoint) === "healthy").length;
  const versions = new Set(endpoints.map(({ version }) => version).filter((version) => version !== ""));
  return [
    namespace,
    name,
    ports.map(({ port }) => port).join(","),
    `${healthy}/${endpoints.length}`,
    [...versions].sort().join(","),
  ];
}
