import type { Command } from "commander";
import { topology } from "../../shared/wire/admin.ts";
import type { TopologyEdge } from "../../shared/wire/telemetry-rpc.ts";
import type { Io } from "../io.ts";
import { outputOption } from "../options.ts";
import { renderData, renderTable } from "../output.ts";
import { openSession } from "../session.ts";

/** Adds `selvedge topology`. */
export function addTopology(program: Command, io: Io): void {
  program
    .command("topology")
    .summary("show who calls whom, how often, how well")
    .addOption(outputOption(["table", "json", "yaml"]))
    .action(async ({ output }: { output: "table" | "json" | "yaml" }, command: Command) => {
      const { client } = openSession(command, io);
      const answer = await client.call({ path: "/topology", answer: topology });
      if (output !== "table") return io.out(renderData(output, answer));
      if (answer.edges.length === 0) {
        return io.err(`No calls in the last ${answer.windowMs / 1000} s.\n`);
      }
      const head = ["SOURCE", "DESTINATION", "VERSION", "CALLS/S", "SUCCESS", "P50", "P99"];
      return io.out(renderTable(head, answer.edges.map(row)));
    });
}

function row(edge: TopologyEdge): readonly string[] {
  return [
    edge.source,
    edge.destination,
    edge.version,
    edge.requestsPerSecond.toFixed(2),
    `${(edge.successRatio * 100).toFixed(1)}%`,
    `${edge.p50Ms.toFixed(1)}ms`,
    `${edge.p99Ms.toFixed(1)}ms`,
  ];
}
