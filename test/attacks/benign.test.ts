/** Ordinary requests against the mesh that the attacks are fired at: none is refused. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { inTurns } from "../e2e/http-client.ts";
import { benignRequests } from "./benign.ts";
import { fire, verdictOf } from "./fire.ts";
import { build, type Fortress } from "./fortress.ts";

let fortress: Fortress;

beforeAll(async () => {
  fortress = await build();
});

afterAll(() => fortress?.fall());

test("an ordinary request is let in", { timeout: 120_000 }, async () => {
  const requests = await benignRequests(fortress.arms);

  const results = await inTurns(requests.length, 24, async (n) => {
    const each = requests[n];
    if (each === undefined) return [];
    const got = verdictOf(await fire(fortress.port(each.at), each.how));
    return each.expected.includes(got) ? [] : [[each.id, got]];
  });

  expect(results.flat()).toEqual([]);
  expect(new Set(requests.map(({ id }) => id)).size).toBe(requests.length);
  expect(requests.length).toBeGreaterThanOrEqual(500);
  console.info(`${requests.length} ordinary requests`);
});
