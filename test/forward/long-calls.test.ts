import { expect, test } from "vitest";
import { isLongLived, watchOver } from "../../shared/forward/long-calls.ts";
import { refuse } from "../../shared/forward/refusal.ts";
import type { Refusal } from "../../shared/forward/refusal.ts";
import { prepare } from "../../shared/forward/sync.ts";
import { meshKit } from "../fakes/mesh-kit.ts";
import { directory } from "../fakes/units.ts";

test.each<[number, string | null, boolean]>([
  [200, "text/event-stream", true],
  [200, "text/event-stream; charset=utf-8", true],
  [200, "text/html", false],
  [200, null, false],
])("%d %s may stay open: %s", (status, type, expected) => {
  const headers: Record<string, string> = type === null ? {} : { "content-type": type };
  expect(isLongLived(new Response("", { status, headers }))).toBe(expected);
});

/** A call that is watched over; `decide` says what becomes of it when it is asked. */
async function watched(decide: () => Refusal | null) {
  const kit = meshKit({ units: { directory: directory() } });
  await kit.run(prepare(kit.mesh, ["directory"]));
  const state = { isOpen: true, cuts: 0, asked: 0 };
  const held = {
    response: new Response(),
    isOpen: () => state.isOpen,
    cut: () => {
      state.cuts += 1;
      state.isOpen = false;
    },
  };
  const admit = async (): Promise<Refusal | null> => {
    state.asked += 1;
    return decide();
  };
  void watchOver(kit.mesh, { held, requestId: "r-1", needs: ["directory"], admit });
  const change = async (trustDomain: string): Promise<void> => {
    kit.put({ directory: directory({ trustDomain }) });
    await kit.advance(3_000);
  };
  return { kit, state, change };
}

test("a call is decided about once for each change, and left alone without one", async () => {
  const { kit, state, change } = await watched(() => null);
  await kit.advance(10_000);
  expect(state.asked).toBe(0);
  await change("a.test");
  await kit.advance(10_000);
  expect(state.asked).toBe(1);
  await change("b.test");
  expect(state).toEqual({ isOpen: true, cuts: 0, asked: 2 });
});

test.each<[string, () => Refusal | null, number]>([
  ["a policy denies it", () => refuse("authz.rule", ""), 1],
  ["no policy allows it", () => refuse("authz.default_deny", ""), 1],
  ["its proof was revoked", () => refuse("authn.revoked", ""), 1],
  ["its proof has run out", () => refuse("authn.token.expired", ""), 0],
  ["the control plane cannot be asked", () => refuse("control.unavailable", ""), 0],
  ["nothing is wrong", () => null, 0],
  [
    "nobody can decide",
    () => {
      throw new Error("broken");
    },
    1,
  ],
])("when %s", async (_, decide, cuts) => {
  const { kit, state, change } = await watched(decide);
  await change("a.test");
  await kit.advance(10_000);
  expect(state.cuts).toBe(cuts);
  expect(kit.lines.filter(({ event }) => event === "call.cut").length).toBe(cuts);
});

test("a call that has ended is not looked after", async () => {
  const { state, change } = await watched(() => refuse("authz.rule", ""));
  state.isOpen = false;
  await change("a.test");
  expect(state).toEqual({ isOpen: false, cuts: 0, asked: 0 });
});
