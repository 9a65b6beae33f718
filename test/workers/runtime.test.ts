import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { limiterOf } from "../../workers/runtime.ts";

const limiter = { limit: async () => ({ success: true }) };
/** Like a service binding, it answers to every name. */
const stub = env.REGISTRY.getByName("runtime test");

test.each<[string, unknown, string, boolean]>([
  ["a binding with a method `limit`", { LIMITER: limiter }, "LIMITER", true],
  ["none of that name", { LIMITER: limiter }, "OTHER", false],
  ["what every object has", { LIMITER: limiter }, "toString", false],
  ["a text", { LIMITER: "limit" }, "LIMITER", false],
  ["another Worker, whose stub answers to every name", { LIMITER: stub }, "LIMITER", false],
  ["no environment at all", undefined, "LIMITER", false],
])("a rate-limit binding: %s", (_what, bindings, name, isFound) => {
  expect(limiterOf(bindings, name) !== null).toBe(isFound);
});
