import { expect, test } from "vitest";
import { PROBLEMS } from "../../shared/wire/problem.ts";

test.each(Object.entries(PROBLEMS))("%s answers with an error status", (_code, { status }) => {
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(600);
});
