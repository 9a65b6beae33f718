import { describe, expect, test } from "vitest";
import * as host from "../../shared/engine/host.ts";
import { oneOf, seeded, severalOf } from "./random.ts";

test.each([
  ["reviews.shop.mesh", "http", "reviews.shop.mesh", 80],
  ["reviews.shop.mesh", "https", "reviews.shop.mesh", 443],
  ["SVC.Mesh.:8788", "http", "svc.mesh", 8788],
  ["svc.mesh:443", "http", "svc.mesh", 443],
  ["svc.mesh.", "http", "svc.mesh", 80],
  ["localhost:080", "http", "localhost", 80],
  ["xn--bcher-kva.example", "http", "xn--bcher-kva.example", 80],
  ["127.0.0.1:8787", "http", "127.0.0.1", 8787],
  ["1.2.3.4.example", "http", "1.2.3.4.example", 80],
  ["a:1", "http", "a", 1],
  ["a_b.grpc_Echo", "http", "a_b.grpc_echo", 80],
  ["a:65535", "http", "a", 65_535],
  ["[::1]", "http", "[::1]", 80],
  ["[::1]:8787", "https", "[::1]", 8787],
  ["[0:0:0:0:0:0:0:1]", "http", "[::1]", 80],
  ["[2001:DB8::0:1]", "http", "[2001:db8::1]", 80],
  ["[1:0:2:3:4:5:6:7]", "http", "[1:0:2:3:4:5:6:7]", 80],
  ["[1:0:0:2:0:0:3:4]", "http", "[1::2:0:0:3:4]", 80],
  ["[::ffff:1.2.3.4]", "http", "[::ffff:102:304]", 80],
] as const)("%s over %s is %s, port %i", (authority, scheme, name, port) => {
  expect(host.parseHost(authority, scheme)).toEqual({ kind: "ok", host: name, port });
});

test.each([
  "",
  ".",
  "..",
  ".a",
  "a..b",
  "a..",
  "a@b",
  "good.test@evil.test",
  "a/x",
  "a#",
  "a?x=",
  "a\\b",
  "a, b",
  "a b",
  " a",
  "a%5fb",
  "é.test",
  "a%2eb",
  ":80",
  "a:",
  "a:0",
  "a:65536",
  "a:123456",
  "a:80:80",
  "a:-1",
  "a:8a",
  "a\n",
  "a".repeat(254),
  "1",
  "127.1",
  "0x7f.0.0.1",
  "127.0.0.0x1",
  "0x7f000001",
  "2130706433",
  "127.0.0.01",
  "127.0.0.256",
  "1.2.3.4.5",
  "a.1",
  "[::1",
  "::1",
  "[]",
  "[::1]80",
  "[::1]:",
  "[::1]:0",
  "[::1%lo]",
  "[::1%25lo]",
  "[:::]",
  "[1::2::3]",
  "[1:2:3:4:5:6:7]",
  "[1:2:3:4:5:6:7:8:9]",
  "[1:2:3:4:5:6:7:8::]",
  "[12345::]",
  "[1.2.3.4::]",
  "[::1.2.3]",
  "[::1.2.3.4:5]",
  "[::256.1.1.1]",
  "[v1.a]",
])("%j is no host", (authority) => {
  expect(host.parseHost(authority, "http")).toEqual({ kind: "reject" });
});

describe("of random authorities", () => {
  const PIECES = ["a", "B", "7", "0", "-", ".", ".", ":", "x", "255", "0x", "[", "]", "1.2.3.4", "@", "_"];
  const GROUPS = ["0", "0", "1", "ffff", "0a", "00000", "::", ":", ":", ":", ":", ".", "1.2.3.4", "%", "g"];
  const random = seeded(2);
  const names = Array.from({ length: 20_000 }, () =>
    severalOf(random, 1, 6, () => oneOf(random, PIECES)).join(""),
  );
  const addresses = Array.from({ length: 50_000 }, () => {
    return `[${severalOf(random, 1, 16, () => oneOf(random, GROUPS)).join("")}]`;
  });

  test("a URL parser agrees on the host and the port of each that is accepted", () => {
    const parsed = [...names, ...addresses].flatMap((authority) => {
      const result = host.parseHost(authority, "http");
      return result.kind === "ok" ? [{ authority, ...result }] : [];
    });
    expect(parsed.length).toBeGreaterThan(3_000);
    for (const { authority, host: name, port } of parsed) {
      const url = new URL(`http://${authority}/`);
      expect([url.hostname.replace(/\.$/, ""), Number(url.port === "" ? 80 : url.port)]).toEqual([
        name,
        port,
      ]);
    }
  });

  test("an IPv6 address is accepted exactly when a URL parser takes it", () => {
    const accepted = addresses.filter((authority) => host.parseHost(authority, "http").kind === "ok");
    expect(accepted.length).toBeGreaterThan(500);
    expect(accepted).toEqual(addresses.filter((authority) => URL.canParse(`http://${authority}/`)));
  });
});

test.each([
  ["*", "example.com", true],
  ["*", "[::1]", true],
  ["example.com", "example.com", true],
  ["example.com", "foo.example.com", false],
  ["*.example.com", "example.com", false],
  ["*.example.com", ".example.com", false],
  ["*.example.com", "foo.example.com", true],
  ["*.example.com", "bar.foo.example.com", true],
  ["*.example.com", "fooexample.com", false],
  ["*.example.com", "foo.example.org", false],
])("pattern %s, host %s: %s", (pattern, name, expected) => {
  expect(host.matchHost(pattern, name)).toBe(expected);
});

test.each([
  ["*", "*", "*"],
  ["*", "*.a.test", "*.a.test"],
  ["*", "b.a.test", "b.a.test"],
  ["a.test", "a.test", "a.test"],
  ["a.test", "b.test", null],
  ["*.a.test", "a.test", null],
  ["*.a.test", "b.a.test", "b.a.test"],
  ["*.a.test", "c.b.a.test", "c.b.a.test"],
  ["*.a.test", "*.a.test", "*.a.test"],
  ["*.test", "*.a.test", "*.a.test"],
  ["*.a.test", "*.b.test", null],
  ["*.a.test", "*.aa.test", null],
])("%s and %s have %s in common", (a, b, expected) => {
  expect(host.intersectHost(a, b)).toBe(expected);
  expect(host.intersectHost(b, a)).toBe(expected);
});

describe("of random patterns", () => {
  const LABELS = ["a", "b", "ab"];
  const random = seeded(3);
  const drawName = () => severalOf(random, 1, 4, () => oneOf(random, LABELS)).join(".");
  const drawPattern = () => oneOf(random, [() => "*", drawName, () => `*.${drawName()}`])();

  test("the intersection covers what both cover", () => {
    for (let run = 0; run < 20_000; run++) {
      const [a, b, name] = [drawPattern(), drawPattern(), drawName()];
      const both = host.intersectHost(a, b);
      const expected = host.matchHost(a, name) && host.matchHost(b, name);
      expect(both !== null && host.matchHost(both, name), `${a} and ${b} for ${name}`).toBe(expected);
    }
  });

  test.each([1, 99, 101, 5_000])("%i patterns are searched as if one after the other", (size) => {
    const patterns = new Set(Array.from({ length: size }, drawPattern));
    const ordered = [...patterns].toSorted(host.compareHost);
    for (let run = 0; run < 2_000; run++) {
      const name = drawName();
      const first = ordered.find((pattern) => host.matchHost(pattern, name)) ?? null;
      expect(host.findHost(patterns, name), name).toBe(first);
    }
  });
});

test("the more specific pattern comes first", () => {
  const patterns = ["*", "*.test", "a.test", "*.b.a.test", "c.b.a.test", "b.test", "*.a.test"];
  expect(patterns.toSorted(host.compareHost)).toEqual([
    "c.b.a.test",
    "a.test",
    "b.test",
    "*.b.a.test",
    "*.a.test",
    "*.test",
    "*",
  ]);
});
