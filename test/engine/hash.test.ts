import { describe, expect, test } from "vitest";
import { principalOf, type Caller } from "../../shared/engine/authorize.ts";
import * as hash from "../../shared/engine/hash.ts";
import { viewOf } from "./routes.ts";

/** Bytes as UTF-16 code units, of which MurmurHash3's published vectors with an even length can be made. */
function unitsOf(bytes: string): string {
  const pairs = bytes.match(/../gs) ?? [];
  return pairs.map((pair) => String.fromCharCode(pair.charCodeAt(0) | (pair.charCodeAt(1) << 8))).join("");
}

test.each([
  ["", 0, 0],
  ["", 1, 0x514e28b7],
  ["", 0xffffffff, 0x81f16f39],
  ["test", 0, 0xba6bd213],
  ["aa", 0x9747b28c, 0x5d211726],
  ["ab", 0x9747b28c, 0x74875592],
  ["aaaa", 0x9747b28c, 0x5a97808a],
  ["abcd", 0x9747b28c, 0xf0478627],
])("the bytes %j with seed %d are hashed as published", (bytes, seed, expected) => {
  expect(hash.hash32(unitsOf(bytes), seed)).toBe(expected);
});

test("units of numbered texts are spread evenly, and neighbors have nothing in common", () => {
  const units = Array.from({ length: 20_000 }, (_, n) => hash.unit(`user-${n}`));
  expect(units.every((unit) => unit >= 0 && unit < 1)).toBe(true);
  expect(new Set(units).size).toBe(units.length);
  const buckets = Array.from({ length: 20 }, () => 0);
  for (const unit of units) buckets[Math.floor(unit * 20)] = (buckets[Math.floor(unit * 20)] ?? 0) + 1;
  // χ² with 19 degrees of freedom is above 43.8 once in a thousand.
  const chi = buckets.reduce((sum, count) => sum + (count - 1_000) ** 2 / 1_000, 0);
  expect(chi).toBeLessThan(43.8);
  const products = units.slice(1).map((unit, n) => (unit - 0.5) * ((units[n] ?? 0) - 0.5));
  const correlation = (products.reduce((sum, product) => sum + product, 0) / products.length) * 12;
  expect(Math.abs(correlation)).toBeLessThan(3 / Math.sqrt(products.length));
});

const WORKLOAD = { trustDomain: "mesh.test", namespace: "shop", serviceAccount: "web" };
const CALLER: Caller = { ...WORKLOAD, principal: principalOf(WORKLOAD) };

const base64Url = (text: string) => Buffer.from(text).toString("base64url");
const bearer = (claims: unknown) => `Bearer ${base64Url("{}")}.${base64Url(JSON.stringify(claims))}.sig`;
const claim = (name: string): hash.HashKey => ({ kind: "claim", name });

describe("the key of a request", () => {
  const headers = { "x-user": "u1", cookie: "a=1; user=u2; user=u3; b", "x-empty": "" };

  test.each<[key: hash.HashKey, expected: string | null]>([
    [{ kind: "header", name: "x-user" }, "u1"],
    [{ kind: "header", name: "x-none" }, null],
    [{ kind: "header", name: "x-empty" }, null],
    [{ kind: "cookie", name: "user" }, "u2"],
    [{ kind: "cookie", name: "b" }, null],
    [{ kind: "cookie", name: "c" }, null],
    [{ kind: "query", name: "u" }, "4 5"],
    [{ kind: "query", name: "v" }, null],
    [{ kind: "source-ip" }, "192.0.2.1"],
    [{ kind: "caller" }, "mesh.test/ns/shop/sa/web"],
    [claim("sub"), null],
  ])("by %j is %j", (key, expected) => {
    expect(hash.keyOf(key, viewOf("/?u=4+5&v=", { headers }), CALLER, "192.0.2.1")).toBe(expected);
  });

  test.each<[key: hash.HashKey]>([
    [{ kind: "source-ip" }],
    [{ kind: "caller" }],
    [{ kind: "cookie", name: "a" }],
  ])("by %j is missing when nothing is known", (key) => {
    expect(hash.keyOf(key, viewOf("/"), null, null)).toBeNull();
  });

  test.each([
    [bearer({ sub: "jason" }), "sub", "jason"],
    [bearer({ sub: "Jürgen 日本 😀" }), "sub", "Jürgen 日本 😀"],
    [bearer({ sub: "a" }).replace("Bearer", "bearer"), "sub", "a"],
    [bearer({ tier: 3, beta: false }), "tier", "3"],
    [bearer({ tier: 3, beta: false }), "beta", "false"],
    [bearer({ sub: "a" }), "toString", null],
    [bearer({ aud: ["a"] }), "aud", null],
    [bearer({ sub: null }), "sub", null],
    [bearer({ sub: "" }), "sub", null],
    [bearer(null), "sub", null],
    [bearer("text"), "sub", null],
    [`Bearer ${base64Url("{}")}.${base64Url("{")}.sig`, "sub", null],
    ["Bearer a.__8.c", "sub", null],
    ["Bearer opaque", "sub", null],
    [`Basic ${base64Url("a:b")}`, "sub", null],
  ])("of the token %s by its claim %s is %j", (authorization, name, expected) => {
    expect(hash.keyOf(claim(name), viewOf("/", { headers: { authorization } }), null, null)).toBe(expected);
  });
});

test.each([
  ["the hash itself", (each: number) => each / 2 ** 32, 0],
  ["the first decision", (each: number) => hash.pointOf(each, 0), 1],
])("a decision by a key knows nothing of %s", (_name, before, purpose) => {
  const hashes = Array.from({ length: 4_000 }, (_, index) => hash.hash32(`key-${index}`));
  const points = hashes.filter((each) => before(each) >= 0.5).map((each) => hash.pointOf(each, purpose));
  // Of what one puts into the upper half the other puts half there.
  expect(Math.abs(points.filter((point) => point >= 0.5).length / points.length - 0.5)).toBeLessThan(0.05);
});
