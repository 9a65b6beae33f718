import { expect, test } from "vitest";
import { keyOf, networkOf } from "../../shared/engine/limit-key.ts";
import type { KeyInput } from "../../shared/engine/limit-key.ts";
import type { KeyPart, RateLimit } from "../../shared/engine/limit.ts";

const input = (changes: Partial<KeyInput> = {}): KeyInput => ({
  caller: "shop/web",
  method: "GET",
  path: "/a",
  query: "",
  headers: new Headers(),
  address: () => null,
  ...changes,
});

const limitOf = (key: readonly KeyPart[], changes: Partial<RateLimit> = {}): RateLimit => ({
  policy: "shop/limits",
  mode: "local",
  rate: RATE,
  key,
  whenUnavailable: "allow",
  ...changes,
});

const RATE = { requests: 5, perMs: 1000, burst: 3 };

const CALLER: KeyPart = { kind: "caller" };
const METHOD: KeyPart = { kind: "method" };
const PATH: KeyPart = { kind: "path" };
const header = (name: string): KeyPart => ({ kind: "header", name });

const ADDRESS: KeyPart = { kind: "remote-address" };
const TENANT: KeyPart = { kind: "query", name: "tenant" };
const SUBJECT: KeyPart = { kind: "claim", name: "sub" };

const user = (value: string): Headers => new Headers({ "x-user": value });

function bearer(claims: object): Headers {
  const payload = Buffer.from(JSON.stringify(claims)).toString("base64url");
  return new Headers({ authorization: `Bearer e30.${payload}.c2ln` });
}

test("a key holds each part behind its length, and tells an absent one from every value", () => {
  const key = keyOf(limitOf([CALLER, METHOD, PATH, header("x-user")]), input({ caller: null }));
  expect(key).toBe("11:shop/limits 5/1000+3 caller - method 3:GET path 2:/a header 6:x-user -");
});

test("different calls and different limits never share a key", () => {
  const both = limitOf([CALLER, header("x-user")]);
  const keys = [
    keyOf(both, input({ caller: null })),
    keyOf(both, input({ caller: null, headers: user("") })),
    keyOf(both, input({ caller: null, headers: user("-") })),
    keyOf(both, input({ caller: "" })),
    keyOf(both, input({ caller: "-" })),
    keyOf(both, input({ caller: "a header 6:x-user 1:b", headers: user("c") })),
    keyOf(both, input({ caller: "a", headers: user("b header 6:x-user 1:c") })),
    keyOf(both, input({ caller: "ab", headers: user("c") })),
    keyOf(both, input({ caller: "a", headers: user("bc") })),
    keyOf(limitOf([]), input()),
    keyOf(limitOf([], { policy: "shop/other" }), input()),
    keyOf(limitOf([], { rate: { ...RATE, burst: 4 } }), input()),
    keyOf(limitOf([METHOD]), input({ method: "a" })),
    keyOf(limitOf([PATH]), input({ path: "a" })),
    keyOf(limitOf([CALLER]), input({ caller: "a" })),
    keyOf(limitOf([header("x-user")]), input({ headers: user("a") })),
    keyOf(limitOf([ADDRESS]), input({ address: () => "192.0.2.1" })),
    keyOf(limitOf([TENANT]), input({ query: "tenant=a" })),
    keyOf(limitOf([SUBJECT]), input({ headers: bearer({ sub: "a" }) })),
    keyOf(limitOf([header("x-other")]), input({ headers: new Headers({ "x-other": "a" }) })),
  ];
  expect(new Set(keys).size).toBe(keys.length);
});

test("calls that lack a part share one bucket", () => {
  const byUser = limitOf([header("x-user")]);
  expect(keyOf(byUser, input({ path: "/a" }))).toBe(keyOf(byUser, input({ path: "/b" })));
});

test.each<[string, KeyPart, Partial<KeyInput>, string]>([
  ["an address", ADDRESS, { address: () => "2001:DB8::1:2:3:4" }, "remote-address 13:2001:db8::/64"],
  ["an address that is none", ADDRESS, { address: () => "somewhere" }, "remote-address -"],
  ["a parameter", TENANT, { query: "a=1&tenant=x%20y&tenant=z" }, "query 6:tenant 3:x y"],
  ["a claim", SUBJECT, { headers: bearer({ sub: "ann" }) }, "claim 3:sub 3:ann"],
  ["a claim without a token", SUBJECT, {}, "claim 3:sub -"],
])("keys by %s", (_what, part, changes, end) => {
  expect(keyOf(limitOf([part]), input(changes))).toBe(`11:shop/limits 5/1000+3 ${end}`);
});

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["0:0:0:0:0:FFFF:c000:201", "192.0.2.1"],
  ["2001:db8:0:1::1", "2001:db8:0:1::/64"],
  ["2001:0DB8:0000:0001:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"],
  ["2001:db8:0:2::1", "2001:db8:0:2::/64"],
  ["::1", "::/64"],
  ["192.0.2.01", null],
  ["fe80::1%eth0", null],
  ["", null],
])("the network of %j is %j", (address, network) => {
  expect(networkOf(address)).toBe(network);
});

function long(value: string): string {
  return keyOf(limitOf([header("x-user")]), input({ headers: user(value) }));
}

test("a long value is told from another by its hash, and takes no more room than a short one", () => {
  const keys = [long("a".repeat(8_000)), long("a".repeat(8_001)), long(`b${"a".repeat(7_999)}`)];

  expect(new Set(keys).size).toBe(3);
  expect(Math.max(...keys.map(({ length }) => length))).toBeLessThan(100);
  expect(long("a".repeat(128))).toContain(`128:${"a".repeat(128)}`);
});
