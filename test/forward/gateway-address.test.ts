import { expect, test } from "vitest";
import { formatGatewayAddress, parseGatewayAddress } from "../../shared/forward/gateway-address.ts";
import type { GatewayAddress } from "../../shared/forward/gateway-address.ts";

test.each<[string, GatewayAddress]>([
  ["shop/public;port=80;scheme=http", { gateway: "shop/public", port: 80, scheme: "http" }],
  ["a-b/c.d;port=65535;scheme=https", { gateway: "a-b/c.d", port: 65_535, scheme: "https" }],
])("%s is read, and written back", (text, address) => {
  expect(parseGatewayAddress(text)).toEqual(address);
  expect(formatGatewayAddress(address)).toBe(text);
});

test.each([
  "",
  "public;port=80;scheme=http",
  "shop/public",
  "shop/public;port=80",
  "shop/public;port=0;scheme=http",
  "shop/public;port=65536;scheme=http",
  "shop/public;port=80;scheme=h2c",
  "shop/public/http;port=80;scheme=http",
  "shop/public;port=80;scheme=http, shop/other;port=80;scheme=http",
])("%j is none", (text) => {
  expect(parseGatewayAddress(text)).toBeNull();
});
