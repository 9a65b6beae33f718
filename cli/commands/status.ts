import type { Command } from "commander";
import { meshStatus } from "../../shared/wire/admin.ts";
import type { StoreStatus } from "../../shared/wire/registry-rpc.ts";
import type { IsolatesStatus } from "../../shared/wire/telemetry-rpc.ts";
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
        ...(status.store === undefined ? [] : [["Copies", copies(status.store, status.version)]]),
        ...(status.isolates === undefined ? [] : [["Isolates", isolates(status.isolates)]]),
        ["Resources", String(status.resources)],
        ["Services", String(status.services)],
        ["Endpoints", `${status.healthyEndpoints} of ${status.endpoints} healthy`],
      ];
      return io.out(rows.map(([name, value = ""]) => `${`${name}:`.padEnd(15)}${plain(value)}\n`).join(""));
    });
}

function isolates({ current, stale, oldestVersion }: IsolatesStatus): string {
  if (oldestVersion === null) return "none has reported within a minute";
  return `${current} current, ${stale} stale; oldest version ${oldestVersion}`;
}

/** What hosts would start from if the registry were out of reach. */
function copies(store: StoreStatus, version: number): string {
  if (store.kind === "off")
    return store.why === "no-secret" ? "none: no secret to sign them" : "none: no KV namespace SNAPSHOTS";
  const lag = version - store.version;
  const state = lag === 0 ? `version ${store.version}` : `version ${store.version}, ${lag} behind`;
  return store.failures === 0 ? state : `${state}; storing fails, ${store.failures} times in a row`;
}
