import { expect, test } from "vitest";
import { isWithin, parseAddressBlock, parseNetworkAddress } from "../../shared/engine/address-block.ts";

test.each<[string, string, boolean]>([
  ["10.0.0.0/8", "10.255.0.1", true],
  ["10.0.0.0/8", "11.0.0.0", false],
  ["10.1.2.3", "10.1.2.3", true],
  ["10.1.2.3", "10.1.2.2", false],
  ["10.1.2.3/32", "10.1.2.3", true],
  ["192.0.2.128/25", "192.0.2.127", false],
  ["192.0.2.128/25", "192.0.2.128", true],
  ["0.0.0.0/0", "203.0.113.9", true],
  ["0.0.0.0/0", "2001:db8::1", false],
  ["::/0", "2001:db8::1", true],
  ["::/0", "10.0.0.1", true],
  ["2001:db8::/32", "2001:db8:ffff::1", true],
  ["2001:db8::/33", "2001:db8:8000::1", false],
  ["10.0.0.0/8", "::ffff:10.0.0.1", true],
  ["10.0.0.0/8", "[::ffff:a00:1]:443", true],
  ["10.0.0.0/8", "10.0.0.1:5678", true],
  ["fe80::/10", "fe80::1%eth0", true],
])("%s has %s: %s", (block, address, expected) => {
  const [parsed, candidate] = [parseAddressBlock(block), parseNetworkAddress(address)];
  expect(parsed !== null && candidate !== null && isWithin(parsed, candidate)).toBe(expected);
});

test.each([
  "",
  "10.0.0",
  "10.0.0.0/33",
  "10.0.0.0/08",
  "10.0.0.0/-1",
  "10.0.0.0/",
  "010.0.0.1",
  "::/129",
  "a.test",
  "1::2::3",
  "10.0.0.0/8/8",
  "10.0.0.0/1e1",
])("%j is no block", (text) => {
  expect(parseAddressBlock(text)).toBeNull();
});

test.each(["", "unknown", "10.0.0.256", "[::1", "_hidden", "10.0.0.1, 10.0.0.2"])(
  "%j is no address",
  (text) => {
    expect(parseNetworkAddress(text)).toBeNull();
  },
);
