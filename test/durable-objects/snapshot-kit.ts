/** A store with a secret, and a registry's outbox that writes to it. */
import { env as bindings } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import type { Env } from "../../durable-objects/env.ts";
import { SnapshotOutbox } from "../../durable-objects/snapshot-outbox.ts";
import { UnitStore } from "../../durable-objects/unit-store.ts";
import type { StoreStatus } from "../../shared/wire/registry-rpc.ts";
import { evict, exec, stub } from "./registry-kit.ts";

/** The mesh's bindings, with the secret that signs what is stored. */
export const signing: Env = { ...bindings, SELVEDGE_ADMIN_TOKEN_SHA256: "5".repeat(64) };

/** The namespace that every test of the store has. */
export function kv(): KVNamespace {
  if (signing.SNAPSHOTS === undefined) throw new Error("wrangler.toml binds no SNAPSHOTS");
  return signing.SNAPSHOTS;
}

/** One run of the outbox in a registry that was just evicted. */
export async function deliver(env: Env = signing): Promise<void> {
  await evict();
  await runInDurableObject(stub(), (_, state) => {
    const outbox = new SnapshotOutbox(state.storage, env, new UnitStore(state.storage.sql));
    return outbox.deliver();
  });
}

export function status(env: Env = signing): Promise<StoreStatus> {
  return runInDurableObject(stub(), (_, state) =>
    new SnapshotOutbox(state.storage, env, new UnitStore(state.storage.sql)).status(),
  );
}

/** Makes the next run due now, as time would. */
export async function makeDue(): Promise<void> {
  await exec("UPDATE facts SET value = json_set(value, '$.dueAt', 0) WHERE name = 'snapshot_outbox'");
}

/** Runs until nothing is left to store. */
export async function storeAll(): Promise<void> {
  for (let run = 0; run < 50; run += 1) {
    await makeDue();
    await deliver();
    const now = await status();
    if (now.kind === "on" && now.version === (await version())) return;
  }
  throw new Error("the outbox does not come to an end");
}

async function version(): Promise<number> {
  const [row] = await exec("SELECT max(version) AS version FROM units");
  return Number(row?.["version"]);
}
