import { expect, test } from "vitest";
import {
  holdOpen,
  isLongLived,
  mayWaitLong,
  MAX_LONG_CALLS,
  watchOver,
  watchWhile,
} from "../../shared/forward/long-calls.ts";
import type { LongCall } from "../../shared/forward/long-calls.ts";
import type { Held } from "../../shared/forward/ports.ts";
import { refuse } from "../../shared/forward/refusal.ts";
import type { Answer, Refusal } from "../../shared/forward/refusal.ts";
import { prepare } from "../../shared/forward/sync.ts";
import { meshKit } from "../fakes/mesh-kit.ts";
import type { MeshKit } from "../fakes/mesh-kit.ts";
import { directory } from "../fakes/units.ts";

test.each<[Record<string, string>, boolean, boolean]>([
  [{ "content-type": "text/event-stream" }, false, true],
  [{ "content-type": "application/grpc" }, false, true],
  [{ "content-type": "application/json" }, false, false],
  [{ "content-type": "application/json" }, true, true],
  [{ "content-type": "application/json", "content-length": "5" }, true, false],
])("%j may stay open, if the call may have waited (%s): %s", (headers, hasWaited, expected) => {
  expect(isLongLived(new Response("", { headers }), hasWaited)).toBe(expected);
});

test.each<[number | null, boolean]>([
  [null, true],
  [30_001, true],
  [30_000, false],
  [15_000, false],
])("a call with %s ms to be answered in is watched while it waits: %s", (limitMs, expected) => {
  expect(mayWaitLong(limitMs)).toBe(expected);
});

interface State {
  isOpen: boolean;
  cuts: number;
  asked: number;
}

/** A host with its configuration, and a call that was admitted by it; `decide` says what becomes of it when it is asked. */
async function admitted(decide: () => Refusal | null, hold?: (response: Response) => Held) {
  const kit = meshKit({ units: { directory: directory() }, ...(hold === undefined ? {} : { hold }) });
  await kit.run(prepare(kit.mesh, ["directory"]));
  const state: State = { isOpen: true, cuts: 0, asked: 0 };
  const call: LongCall = {
    requestId: "r-1",
    needs: () => ["directory"],
    view: kit.mesh.state.snapshot.view,
    admit: async () => {
      state.asked += 1;
      return decide();
    },
  };
  const open = {
    isOpen: () => state.isOpen,
    cut: () => {
      state.cuts += 1;
      state.isOpen = false;
    },
  };
  return { kit, state, call, open, change: (trustDomain: string) => change(kit, trustDomain) };
}

async function change(kit: MeshKit, trustDomain: string): Promise<void> {
  kit.put({ directory: directory({ trustDomain }) });
  await kit.advance(3_000);
}

/** A call that is watched over. */
async function watched(decide: () => Refusal | null) {
  const all = await admitted(decide);
  void watchOver(all.kit.mesh, all.call, all.open);
  return all;
}

const DENIED = refuse("authz.rule", "");

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

test("what changed between its admission and its answer is decided about at the first look", async () => {
  const { kit, state, call, open, change } = await admitted(() => DENIED);
  await change("a.test");
  await kit.run(prepare(kit.mesh, ["directory"]));
  void watchOver(kit.mesh, call, open);
  await kit.advance(500);
  expect(state).toEqual({ isOpen: false, cuts: 1, asked: 1 });
});

test.each<[string, () => Refusal | null, number]>([
  ["a policy denies it", () => DENIED, 1],
  ["no policy allows it", () => refuse("authz.default_deny", ""), 1],
  ["its proof was revoked", () => refuse("authn.revoked", ""), 1],
  ["an authorizer sends it elsewhere", () => ({ ...refuse("authz.custom", ""), status: 302 }), 1],
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
  const { longCalls, cutCalls } = kit.mesh.state.meter.host;
  expect([longCalls, cutCalls]).toEqual([1, cuts]);
  expect(kit.mesh.state.longCalls.size).toBe(1 - cuts);
});

test("a registry that is out of reach cuts nobody, for however long", async () => {
  const { kit, state } = await watched(() => DENIED);
  kit.control.sync = () => Promise.reject(new Error("down"));
  kit.put({ directory: directory({ trustDomain: "a.test" }) });
  await kit.advance(60_000);
  expect(state).toEqual({ isOpen: true, cuts: 0, asked: 0 });
});

test("a call that has ended is not looked after", async () => {
  const { kit, state, change } = await watched(() => DENIED);
  state.isOpen = false;
  await change("a.test");
  expect(state).toEqual({ isOpen: false, cuts: 0, asked: 0 });
  expect(kit.mesh.state.longCalls.size).toBe(0);
});

const OK: Answer = { kind: "response", response: new Response("ok") };

/** A call that waits for its answer until `answerAt`, unless it is cut or its caller goes. */
async function waiting(decide: () => Refusal | null, answerAt: number) {
  const all = await admitted(decide);
  const departure = new AbortController();
  const work = (signal: AbortSignal): Promise<Answer> =>
    new Promise((resolve) => {
      all.kit.mesh.ports.timer(answerAt, () => resolve(OK));
      signal.addEventListener("abort", () => resolve(refuse("caller.gone", "")));
    });
  const answer = { is: null as Answer | null };
  void watchWhile(all.kit.mesh, all.call, departure.signal, work).then((one) => (answer.is = one));
  return { ...all, departure, answer };
}

test("a call that is answered within a second is not looked after", async () => {
  const { kit, state, answer } = await waiting(() => DENIED, 900);
  kit.put({ directory: directory({ trustDomain: "a.test" }) });
  await kit.advance(10_000);
  expect([answer.is, state.asked, kit.mesh.state.meter.host.longCalls]).toEqual([OK, 0, 0]);
});

test("a call that waits is answered with the refusal when it is not let in any more", async () => {
  const { kit, answer, change } = await waiting(() => DENIED, 60_000);
  await kit.advance(5_000);
  expect(answer.is).toBe(null);
  await change("a.test");
  expect(answer.is).toEqual(DENIED);
});

test("a call that waits ends with its caller", async () => {
  const { kit, departure, answer } = await waiting(() => null, 60_000);
  departure.abort();
  await kit.advance(0);
  expect(answer.is).toEqual(refuse("caller.gone", ""));
});

async function answerUnlessGone({ aborted }: AbortSignal): Promise<Answer> {
  return aborted ? refuse("caller.gone", "") : OK;
}

test("a call whose caller went while its proofs were verified is told so", async () => {
  const { kit, call } = await admitted(() => null);
  const answering = watchWhile(kit.mesh, call, AbortSignal.abort(), answerUnlessGone);
  expect(await kit.run(answering)).toEqual(refuse("caller.gone", ""));
});

/** Holds responses, and notes those that were cut. */
function holder() {
  const log: string[] = [];
  const hold = (): Held => ({
    response: new Response("held"),
    isOpen: () => log.length === 0,
    cut: () => void log.push("response"),
  });
  return { log, hold };
}

test("a held response takes the place of the one that came, and is cut", async () => {
  const { log, hold } = holder();
  const { kit, call, change } = await admitted(() => DENIED, hold);
  const answer = holdOpen(kit.mesh, call, new Response("own"));
  const text = answer.kind === "response" ? await answer.response.text() : null;
  await change("a.test");
  expect([text, log]).toEqual(["held", ["response"]]);
});

test("what has nothing to hold goes on as it is", async () => {
  const { kit, call } = await admitted(() => DENIED);
  const response = new Response(null);
  expect(holdOpen(kit.mesh, call, response)).toEqual({ kind: "response", response });
  expect(kit.mesh.state.longCalls.size).toBe(0);
});

test("no more are held than an isolate can watch over, and those that died do not count", async () => {
  const { log, hold } = holder();
  const { kit, call, open, state } = await admitted(() => null, hold);
  const now = kit.now();
  for (let at = 0; at < MAX_LONG_CALLS; at++) kit.mesh.state.longCalls.add({ lookedAt: now });

  const refused = holdOpen(kit.mesh, call, new Response("own"));
  await watchOver(kit.mesh, call, open);
  expect([refused.kind === "refusal" && refused.problem.code, log, state.cuts]).toEqual([
    "overload.long_calls",
    ["response"],
    1,
  ]);

  await kit.advance(5_001);
  log.length = 0;
  expect(holdOpen(kit.mesh, call, new Response("own")).kind).toBe("response");
  expect(kit.mesh.state.longCalls.size).toBe(1);
});
