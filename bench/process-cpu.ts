/**
 * The processor time of another process.
 *
 * @module
 */
import { readFileSync } from "node:fs";

/** Linux counts processor time in hundredths of a second (`USER_HZ`, proc(5)). */
const TICK_MS = 10;

/** User plus system time of a process since its start, in steps of 10 ms. Linux only. */
export function cpuMs(pid: number): number {
  // The second field is the name in parentheses and may contain spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
