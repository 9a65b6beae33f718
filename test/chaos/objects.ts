/**
 * The objects of a mesh under chaos, and how to break them: the other end of
 * workers/mesh/main.js.
 *
 * @module
 */
import { ask } from "../e2e/http-client.ts";

export const OBJECT_CLASSES = [
  "AdminObject",
  "RegistryObject",
  "HealthObject",
  "CircuitObject",
  "RateLimitObject",
  "ReplayObject",
  "AuthorityObject",
  "TelemetryObject",
] as const;

export type ObjectClass = (typeof OBJECT_CLASSES)[number];

/** What happens to every call of a class's objects while it is broken. */
export type ObjectFault =
  | { readonly kind: "throw" }
  /** No answer comes until it is mended, and an error then. */
  | { readonly kind: "stall" }
  | { readonly kind: "slow"; readonly ms: number }
  /** Alarms go off and do nothing; calls are answered. */
  | { readonly kind: "lose-alarms" };

/** One call of an object's method, or its alarm. */
export interface ObjectCall {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly className: string;
  readonly method: string;
}

export interface Objects {
  break(className: ObjectClass, fault: ObjectFault): Promise<void>;
  mend(className: ObjectClass): Promise<void>;
  /** Ends all instances of a class; says how many there were. */
  evict(className: ObjectClass): Promise<number>;
  /** All calls since the last look, broken ones included. */
  calls(): Promise<readonly ObjectCall[]>;
}

/** The objects behind a mesh's chaos socket. */
export function objectsAt(port: number): Objects {
  const tell = async (path: string, body: object): Promise<unknown> => {
    const answer = await ask({ port, host: "chaos", path, method: "POST", body: JSON.stringify(body) });
    if (answer.status !== 200) throw new Error(`chaos ${path}: ${answer.status} ${answer.body}`);
    return JSON.parse(answer.body);
  };
  return {
    break: async (className, fault) => void (await tell("/break", { className, fault })),
    mend: async (className) => void (await tell("/mend", { className })),
    evict: async (className) => Number(await tell("/evict", { className })),
    calls: async () => {
      const calls = (await tell("/calls", {})) as readonly (readonly [number, string, string])[];
      return calls.map(([at, className, method]) => ({ at, className, method }));
    },
  };
}
