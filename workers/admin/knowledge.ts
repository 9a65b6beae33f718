/**
 * The compiled configuration, as the admin API explains it.
 *
 * @module
 */
import { registryOf, type Env } from "../../durable-objects/env.ts";
import type { Unit, UnitKey } from "../../shared/engine/snapshot.ts";
import type { Knowledge } from "../../shared/forward/explain-inquiry.ts";
import { compilePattern } from "../../shared/wire/pattern.ts";

/** The units as a host would pull them; one answer brings those that a unit refers to. */
export function knowledgeOf(env: Env): Knowledge {
  const units = new Map<UnitKey, Unit | null>();
  let version = 0;
  const pull = async (key: UnitKey): Promise<void> => {
    const answer = await registryOf(env).sync({ version: 0, held: [], wanted: [key] });
    version = answer.version;
    for (const [found, unit] of answer.units) units.set(found, unit);
  };
  return {
    unit: async (key) => {
      if (!units.has(key)) await pull(key);
      return units.get(key) ?? null;
    },
    version: () => version,
    meshDomain: env.SELVEDGE_MESH_DOMAIN,
    now: Date.now,
    compilePattern,
  };
}
