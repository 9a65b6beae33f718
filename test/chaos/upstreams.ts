/**
 * Upstreams whose faults a test commands: see behavior.ts for what they can do.
 *
 * @module
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Behavior, Order, Report } from "./behavior.ts";

export interface Upstreams {
  /** Names in the order in which they were asked for. */
  readonly names: readonly string[];
  urlOf(name: string): string;
  /** In force when the promise resolves. */
  behave(name: string, behavior: Behavior): Promise<void>;
  /** When requests came in since the last look, in milliseconds since the epoch, ascending. */
  arrivals(name: string): Promise<readonly number[]>;
  stop(): void;
}

/** An order without its number. */
type Unnumbered<Numbered> = Numbered extends unknown ? Omit<Numbered, "id"> : never;

/** Starts them, all well. `seed` decides which requests mishaps befall. */
export async function startUpstreams(names: readonly string[], seed: number): Promise<Upstreams> {
  const child = fork(fileURLToPath(new URL("upstream-process.ts", import.meta.url)));
  const waiting = new Map<number, PromiseWithResolvers<readonly number[]>>();
  let orders = 0;
  child.on("message", ({ id, values }: Report) => {
    waiting.get(id)?.resolve(values);
    waiting.delete(id);
  });
  child.once("exit", () => {
    for (const { reject } of waiting.values()) reject(new Error("the upstreams' process has ended"));
  });
  const order = (what: Unnumbered<Order>): Promise<readonly number[]> => {
    const id = orders++;
    const answer = Promise.withResolvers<readonly number[]>();
    waiting.set(id, answer);
    child.send({ id, ...what });
    return answer.promise;
  };
  const ports = await order({ kind: "start", names, seed });
  const urls = new Map(names.map((name, n) => [name, `http://127.0.0.1:${ports[n]}`]));
  return {
    names,
    urlOf: (name) => urls.get(name) ?? "",
    behave: async (name, behavior) => void (await order({ kind: "behave", name, behavior })),
    arrivals: (name) => order({ kind: "arrivals", name }),
    stop: () => {
      if (child.connected) child.disconnect();
    },
  };
}
