import { expect, test } from "vitest";
import { against } from "./commands-kit.ts";

const NOW = Date.now();
const TOKEN = {
  id: "0123456789ab",
  name: "ci",
  role: "editor",
  namespaces: ["shop", "checkout"],
  createdAt: NOW,
  createdBy: "admin",
  expiresAt: NOW + 90 * 86_400_000 + 60_000,
  usedAt: null,
};

test("access grant prints the token alone", async () => {
  const args = [
    "access",
    "grant",
    "ci",
    "--role",
    "editor",
    "--namespaces",
    "shop, checkout",
    "--ttl",
    "30d",
  ];
  expect(await against({ "POST /api/v1/access": { ...TOKEN, token: "slv_x" } }, args)).toEqual({
    code: 0,
    out: "slv_x\n",
    err: "",
    heard: [
      [
        "POST /api/v1/access",
        { name: "ci", role: "editor", namespaces: ["shop", "checkout"], ttlSeconds: 30 * 86_400 },
      ],
    ],
  });
});

test("access list tells what each may, and when it ends", async () => {
  const ran = await against({ "GET /api/v1/access": { items: [TOKEN] } }, ["access", "list"]);
  expect(ran.out).toBe(
    "ID             NAME   ROLE     NAMESPACES      BY      EXPIRES   USED\n" +
      "0123456789ab   ci     editor   shop,checkout   admin   90d       never\n",
  );
});

test("access revoke names what it ended", async () => {
  const ran = await against({ "DELETE /api/v1/access/0123456789ab": TOKEN }, ["access", "revoke", TOKEN.id]);
  expect(ran).toMatchObject({ code: 0, out: 'token "ci" is revoked\n' });
});

test("access whoami tells who the bearer is", async () => {
  const answer = { id: "token/ci", role: "editor", namespaces: ["shop"] };
  const ran = await against({ "GET /api/v1/principal": answer }, ["access", "whoami"]);
  expect(ran.out).toBe("token/ci: editor of shop\n");
});

const AUDITED = {
  at: Date.UTC(2026, 10, 24, 12),
  principal: "token/ci",
  action: "apply",
  target: "created Service shop/web",
  detail: "revision 7",
  address: "",
  requestId: "r",
  revision: 7,
};

test.each([
  ["a, b, c", "a, b, c"],
  ["a, b, c, d", "a, b and 2 more"],
])("audit names of %s", async (target, told) => {
  const ran = await against({ "GET /api/v1/audit?limit=50": { items: [{ ...AUDITED, target }] } }, ["audit"]);
  expect(ran.out).toContain(`   ${told}   revision 7`);
});

test("audit takes no time that is none", async () => {
  expect(await against({}, ["audit", "--before", "noon"])).toMatchObject({
    code: 2,
    err: expect.stringContaining("2026-11-24T12:00:00Z"),
  });
});

test("audit lists who changed what", async () => {
  const ran = await against({ "GET /api/v1/audit?limit=50": { items: [AUDITED] } }, ["audit"]);
  expect(ran.out).toBe(
    "AT                         BY         ACTION   TARGET                     DETAIL       FROM\n" +
      "2026-11-24T12:00:00.000Z   token/ci   apply    created Service shop/web   revision 7   -\n",
  );
});
