/** What Istio's tests of authorization assert, decided by a real mesh. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startGuarded, type Guarded } from "./authz/guarded.ts";
import { linesOf, scenarioOf, stories } from "./authz/stories.ts";
import { makeWallet, type Wallet } from "./authz/tokens.ts";

const START_LIMIT_MS = 60_000;
const STORY_LIMIT_MS = 30_000;

let wallet: Wallet;
let guarded: Guarded;

beforeAll(async () => {
  wallet = await makeWallet();
  guarded = await startGuarded(wallet);
}, START_LIMIT_MS);

afterAll(() => guarded.stop());

describe("is decided as in Istio", () => {
  test.each(stories())("%s", { timeout: STORY_LIMIT_MS }, async (_id, story) => {
    await guarded.scenario(scenarioOf(story));
    const lines = linesOf(story, wallet.tokens);
    const seen: string[] = [];
    for (const { call, text, outcome } of lines) {
      const verdict = await guarded.decide(call);
      const became = /^\d+$/.test(outcome) ? verdict?.status : verdict?.decision;
      seen.push(`${text.split(" -> ")[0] ?? ""} -> ${became}`);
    }
    expect(seen).toEqual(lines.map(({ text }) => text));
  });
});
