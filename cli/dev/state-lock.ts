/**
 * One runtime per state directory: two would write the same databases.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cannotStart } from "./cannot-start.ts";

const PID_FILE = "pid";

/**
 * Throws a `Failure` if a runtime still runs with the configuration in
 * `directory`: another `selvedge dev`, or what a killed one left behind.
 */
export function refuseIfRunning(directory: string): void {
  const path = join(directory, PID_FILE);
  if (!existsSync(path)) return;
  const pid = Number(readFileSync(path, "utf8"));
  if (!commandOf(pid).includes(`${directory}/`)) return;
  throw cannotStart(
    `process ${pid}, a workerd, already runs with the state in ${directory}`,
    `Stop it (kill ${pid}), or choose another state directory.`,
  );
}

/** Remembers who runs. */
export function noteRunning(directory: string, pid: number): void {
  writeFileSync(join(directory, PID_FILE), String(pid));
}

/** The command line of a process; empty when there is none. The number alone could be another process's by now. */
function commandOf(pid: number): string {
  const { stdout } = spawnSync("ps", ["-ww", "-p", String(pid), "-o", "args="], { encoding: "utf8" });
  return stdout ?? "";
}
