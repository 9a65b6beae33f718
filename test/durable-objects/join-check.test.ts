import { expect, test } from "vitest";
import { checkJoinToken, judgeJoin } from "../../durable-objects/join-check.ts";
import type { JoinToken } from "../../shared/wire/authority-rpc.ts";

const TOKEN: JoinToken = {
  id: "0123456789ab",
  scope: "shop/web",
  author: "admin",
  createdAt: 0,
  expiresAt: 1000,
  usedBy: null,
  usedAt: null,
};

test.each([
  ["the only one of its scope, unasked", "shop/web", undefined, "shop/web"],
  ["the only one of its scope", "shop/web", "shop/web", "shop/web"],
  ["another of the namespace", "shop/web", "shop/cart", "admin.forbidden"],
  ["one whose name is longer", "shop/web", "shop/web2", "admin.forbidden"],
  ["one of a pattern", "shop/web-*", "shop/web-7", "shop/web-7"],
  ["one beside the pattern", "shop/web-*", "shop/web", "admin.forbidden"],
  ["any of the namespace", "shop/*", "shop/cart", "shop/cart"],
  ["one of another namespace", "shop/*", "shop2/cart", "admin.forbidden"],
  ["one that reaches out of the namespace", "shop/*", "shop/../admin/root", "admin.forbidden"],
  ["one with a further step", "shop/*", "shop/web/sa/admin", "admin.forbidden"],
  ["one with a star of its own", "shop/*", "shop/*", "admin.forbidden"],
  ["nobody in particular", "shop/*", undefined, "request.malformed"],
])("with a join token joins %s", (_name, scope, asked, expected) => {
  const outcome = judgeJoin({ ...TOKEN, scope }, asked, 999);
  expect(outcome.ok ? outcome.value : outcome.problem.code).toBe(expected);
});

test.each([
  ["at its end", {}, 1000, "authn.token.expired"],
  ["after it", {}, 5000, "authn.token.expired"],
  ["after somebody used it", { usedBy: "shop/web", usedAt: 5 }, 10, "authn.revoked"],
])("nobody joins with a token %s", (_name, change, now, code) => {
  expect(judgeJoin({ ...TOKEN, ...change }, undefined, now)).toMatchObject({ ok: false, problem: { code } });
});

const SCOPE = { path: "scope", message: "write namespace/service-account or namespace/prefix*" };
const LIFE = { path: "ttlSeconds", message: "write a whole number from 60 to 604800" };

test.each([
  ["one workload", { scope: "shop/web" }, []],
  ["a namespace", { scope: "shop/*" }, []],
  ["a prefix", { scope: "shop/web-*" }, []],
  ["a minute", { ttlSeconds: 60 }, []],
  ["a week", { ttlSeconds: 604_800 }, []],
  ["everybody", { scope: "*" }, [SCOPE]],
  ["every namespace", { scope: "*/web" }, [SCOPE]],
  ["a prefix of a namespace", { scope: "shop*" }, [SCOPE]],
  ["two stars", { scope: "shop/**" }, [SCOPE]],
  ["a way out", { scope: "../admin" }, [SCOPE]],
  ["no time", { ttlSeconds: 59 }, [LIFE]],
  ["ever", { scope: "", ttlSeconds: 604_801 }, [SCOPE, LIFE]],
])("a join token for %s", (_name, change, fields) => {
  const outcome = checkJoinToken({ scope: "shop/web", ttlSeconds: 3600, author: "admin", ...change });
  expect(outcome.ok ? [] : outcome.problem.fields).toEqual(fields);
});
