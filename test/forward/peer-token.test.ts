import { expect, test } from "vitest";
import { prepare } from "../../shared/forward/sync.ts";
import { tokenFor } from "../../shared/forward/peer-token.ts";
import { callerOf } from "../../shared/identity/spiffe.ts";
import { meshKit } from "../fakes/mesh-kit.ts";
import type { MeshKit } from "../fakes/mesh-kit.ts";
import { directory, TRUST_DOMAIN } from "../fakes/units.ts";

const WEB = callerOf({ trustDomain: TRUST_DOMAIN, namespace: "shop", serviceAccount: "web" });

function ask(kit: MeshKit, callee = "shop/reviews"): Promise<string | null> {
  return kit.run(Promise.resolve(tokenFor(kit.mesh, WEB, callee)));
}

test("one token per caller and callee, for the callee alone", async () => {
  const kit = meshKit();

  const tokens = [await ask(kit), await ask(kit), await ask(kit, "shop/ratings")];

  expect(tokens).toEqual(["token-1", "token-1", "token-2"]);
  expect(kit.calls.tokens).toEqual([
    "shop/web spiffe://mesh.test/ns/shop/sa/reviews",
    "shop/web spiffe://mesh.test/ns/shop/sa/ratings",
  ]);
});

test("renews after half of its life, while calls go on with what is held", async () => {
  const kit = meshKit();
  await ask(kit);
  await kit.advance(150_000);

  const during = tokenFor(kit.mesh, WEB, "shop/reviews");
  const beside = tokenFor(kit.mesh, WEB, "shop/reviews");
  await kit.advance(0);

  expect([during, beside, await ask(kit), kit.calls.tokens.length]).toEqual([
    "token-1",
    "token-1",
    "token-2",
    2,
  ]);
});

test("keeps a token that still counts when it cannot be renewed, and never sends one that does not", async () => {
  const kit = meshKit();
  await ask(kit);
  kit.control.token = () => Promise.reject(new Error("down"));
  await kit.advance(200_000);
  const stillGood = [await ask(kit), await ask(kit)];
  await kit.advance(96_000);

  expect(stillGood).toEqual(["token-1", "token-1"]);
  expect(await ask(kit)).toBeNull();
});

test("a token that was revoked is not sent again, and another is fetched", async () => {
  const kit = meshKit({ units: { directory: directory({}) } });
  await kit.run(Promise.resolve(prepare(kit.mesh, ["directory"])));
  expect(await ask(kit)).toBe("token-1");
  const subject = `spiffe://${WEB.principal}`;
  const before = kit.mesh.ports.now() + 1;
  kit.put({ directory: directory({ revoked: { ids: [], identities: [{ subject, before }] } }) });
  await kit.advance(2_000);
  await kit.run(Promise.resolve(prepare(kit.mesh, ["directory"])));
  expect([await ask(kit), await ask(kit), await ask(kit, "shop/ratings")]).toEqual([
    "token-2",
    "token-2",
    "token-3",
  ]);
});

test("leaves an authority that fails alone for half a second", async () => {
  const kit = meshKit();
  let asked = 0;
  const { token } = kit.control;
  kit.control.token = () => {
    asked += 1;
    return Promise.reject(new Error("down"));
  };
  for (let n = 0; n < 10; n++) await ask(kit);
  kit.control.token = token;
  await kit.advance(500);

  expect([asked, await ask(kit)]).toEqual([1, "token-1"]);
});

test("pairs are bounded", async () => {
  const kit = meshKit();
  for (let n = 0; n < 5_000; n++) await tokenFor(kit.mesh, WEB, `shop/callee-${n}`);

  expect(kit.mesh.state.tokens.size).toBeLessThanOrEqual(2_048);
});
