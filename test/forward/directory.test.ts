import { expect, test } from "vitest";
import { findGate, findGateAt, linkDirectory } from "../../shared/forward/directory.ts";
import type { Knock } from "../../shared/forward/directory.ts";
import type { GatewayAddress } from "../../shared/forward/gateway-address.ts";
import { directory, listener } from "../fakes/units.ts";

const LISTENERS = [
  listener("public", { id: "wild", hostname: "*.shop.test", domains: ["*.shop.test", "api.shop.test"] }),
  listener("public", { id: "exact", hostname: "www.shop.test", domains: ["www.shop.test"] }),
  listener("public", { id: "bare", hostname: "bare.shop.test", domains: [] }),
  listener("public", {
    id: "tls",
    hostname: "*.shop.test",
    port: 443,
    scheme: "https",
    domains: ["*.shop.test"],
  }),
  listener("first", { id: "first", hostname: "*", port: 8080, domains: ["a.test"] }),
  listener("second", { id: "second", hostname: "*", port: 8080, domains: ["b.test", "*.b.test"] }),
];

test.each<[string, string, [string, string | null] | null]>([
  ["an exact host name before a wildcard", "http://www.shop.test:80", ["exact", "www.shop.test"]],
  ["the wildcard for other hosts", "http://x.shop.test:80", ["wild", "*.shop.test"]],
  ["the most specific domain of a listener", "http://api.shop.test:80", ["wild", "api.shop.test"]],
  ["several labels below a wildcard", "http://x.y.shop.test:80", ["wild", "*.shop.test"]],
  ["the listener of the port and scheme", "https://x.shop.test:443", ["tls", "*.shop.test"]],
  ["a listener of the scheme on an unknown port", "http://x.shop.test:8787", ["wild", "*.shop.test"]],
  ["the gateway that has a route for the host", "http://b.test:8787", ["second", "b.test"]],
  ["another gateway's route", "http://a.test:8787", ["first", "a.test"]],
  [
    "a listener without routes: it is the gateway's own and hides the wildcard",
    "http://bare.shop.test:80",
    ["bare", null],
  ],
])("finds %s", (_what, at, expected) => {
  const linked = linkDirectory(directory({ listeners: LISTENERS }));

  const gate = findGate(linked, knock(at));

  expect(gate === null ? null : [gate.listener.id, gate.domain]).toEqual(expected);
  expect(findGate(linked, knock(at))).toBe(gate);
});

function knock(at: string): Knock {
  const [, scheme, host = "", port] = /^(https?):\/\/(.+):(\d+)$/.exec(at) ?? [];
  return { host, port: Number(port), scheme: scheme === "https" ? "https" : "http" };
}

test.each([
  [80, "near"],
  [8080, "far"],
  [9090, "near"],
])("of two gateways with the same host, port %d is answered by %s", (port, id) => {
  const listeners = [
    listener("one", { id: "near", domains: ["a.test"] }),
    listener("two", { id: "far", port: 8080, domains: ["a.test"] }),
  ];

  const gate = findGate(linkDirectory(directory({ listeners })), { host: "a.test", port, scheme: "http" });

  expect(gate?.listener.id).toBe(id);
});

test("a wildcard does not cover its own name", () => {
  const linked = linkDirectory(directory({ listeners: LISTENERS.slice(0, 4) }));

  expect(findGate(linked, { host: "shop.test", port: 80, scheme: "http" })).toBeNull();
});

test("a host that nobody serves has no gate, and remembering such hosts takes bounded memory", () => {
  const linked = linkDirectory(directory({ listeners: [listener("g", { hostname: "a.test" })] }));

  const gates = Array.from({ length: 3_000 }, (_, n) =>
    findGate(linked, { host: `${n}.test`, port: 80, scheme: "http" }),
  );

  expect(new Set(gates)).toEqual(new Set([null]));
  expect(linked.known.size).toBeLessThanOrEqual(1_000);
});

test.each<[string, string, GatewayAddress, [string, string | null] | null]>([
  ["the wildcard", "x.shop.test", at("public", 80, "http"), ["wild", "*.shop.test"]],
  ["the exact name before it", "www.shop.test", at("public", 80, "http"), ["exact", "www.shop.test"]],
  ["one without routes", "bare.shop.test", at("public", 80, "http"), ["bare", null]],
  ["that of the scheme", "www.shop.test", at("public", 443, "https"), ["tls", "*.shop.test"]],
  ["none on another port", "x.shop.test", at("public", 8787, "http"), null],
  ["none by another scheme", "x.shop.test", at("public", 443, "http"), null],
  ["none of another gateway", "x.shop.test", at("other", 80, "http"), null],
  ["one without a route that another gateway has", "b.test", at("first", 8080, "http"), ["first", null]],
])("at an address finds %s", (_what, host, address, expected) => {
  const linked = linkDirectory(directory({ listeners: LISTENERS }));

  const gate = findGateAt(linked, host, address);

  expect(gate === null ? null : [gate.listener.id, gate.domain]).toEqual(expected);
  expect(findGateAt(linked, host, address)).toBe(gate);
});

function at(gateway: string, port: number, scheme: "http" | "https"): GatewayAddress {
  return { gateway: `shop/${gateway}`, port, scheme };
}
