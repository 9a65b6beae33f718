import { expect, test } from "vitest";
import { against } from "./commands-kit.ts";

const DRAIN = "POST /api/v1/services/shop/cart/endpoints/vm-1/drain";
const LEASE = { id: "vm-1", expiresAt: 1, heartbeatEveryMs: 10_000 };

test.each([
  ["by its whole name", ["endpoints", "drain", "shop/cart", "vm-1"]],
  ["in a namespace", ["endpoints", "drain", "-n", "shop", "cart", "vm-1"]],
])("endpoints drain asks the mesh, for a service %s", async (_name, args) => {
  expect(await against({ [DRAIN]: LEASE }, args)).toEqual({
    code: 0,
    out: 'endpoint "vm-1" of shop/cart is draining\n',
    err: "",
    heard: [DRAIN],
  });
});

test.each(["shop/", "/cart", "a/b/c"])("endpoints drain does not take %s for a service", async (service) => {
  const ran = await against({}, ["endpoints", "drain", service, "vm-1"]);
  expect(ran).toMatchObject({ code: 2, heard: [], err: expect.stringContaining("NAMESPACE/SERVICE") });
});

test("endpoints drain tells of an endpoint that is not registered", async () => {
  const ran = await against({}, ["endpoints", "drain", "shop/cart", "vm-1"]);
  expect(ran).toMatchObject({ code: 3, out: "" });
});
