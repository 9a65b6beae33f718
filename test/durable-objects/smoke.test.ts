import { env } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
test("object starts", async () => {
  const stub = env.REGISTRY.getByName("mesh");
  await runInDurableObject(stub, (_, s) => {
    s.storage.sql.exec("create table a(b)");
  });
  await evictDurableObject(stub);
  expect(
    await runInDurableObject(stub, (_, s) => [...s.storage.sql.exec("select count(*) n from a")]),
  ).toEqual([{ n: 0 }]);
});
