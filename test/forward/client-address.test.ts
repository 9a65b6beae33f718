import { expect, test } from "vitest";
import { parseNetworkAddress } from "../../shared/engine/address-block.ts";
import { addressesOf, clientAddress, type Approach } from "../../shared/forward/client-address.ts";

type Way = Omit<Approach, "headers">;

const PEER = { "cf-connecting-ip": "192.0.2.9" };
const told = (hops: string) => ({ ...PEER, "x-forwarded-for": hops });

test.each<[string, Record<string, string>, Way, string | null]>([
  ["the peer's", PEER, { isFromOutside: true, trustedHops: 0 }, "192.0.2.9"],
  ["the peer's, whatever it tells", told("10.0.0.1"), { isFromOutside: true, trustedHops: 0 }, "192.0.2.9"],
  ["what one proxy saw", told("10.0.0.1"), { isFromOutside: true, trustedHops: 1 }, "10.0.0.1"],
  [
    "what one proxy saw, not what the client wrote",
    told("6.6.6.6, 10.0.0.1"),
    { isFromOutside: true, trustedHops: 1 },
    "10.0.0.1",
  ],
  [
    "what the first of two proxies saw",
    told("6.6.6.6, 10.0.0.1, 10.0.0.2"),
    { isFromOutside: true, trustedHops: 2 },
    "10.0.0.1",
  ],
  [
    "the peer's if there were fewer proxies",
    told("10.0.0.1"),
    { isFromOutside: true, trustedHops: 2 },
    "192.0.2.9",
  ],
  ["the peer's if no proxy told", PEER, { isFromOutside: true, trustedHops: 1 }, "192.0.2.9"],
  ["unknown without the platform's word", {}, { isFromOutside: true, trustedHops: 0 }, null],
  [
    "what a Worker tells of its client",
    told("10.0.0.1, 10.0.0.2"),
    { isFromOutside: false, trustedHops: 0 },
    "10.0.0.1",
  ],
  ["unknown if a Worker tells nothing", PEER, { isFromOutside: false, trustedHops: 0 }, null],
])("the client's address is %s", (_what, headers, way, expected) => {
  expect(clientAddress({ headers: new Headers(headers), ...way })).toBe(expected);
});

const parsed = (text: string) => parseNetworkAddress(text);

test.each<[string, Record<string, string>, Way, ReturnType<typeof addressesOf>]>([
  [
    "from outside",
    PEER,
    { isFromOutside: true, trustedHops: 0 },
    { source: parsed("192.0.2.9"), remote: parsed("192.0.2.9") },
  ],
  [
    "behind a proxy",
    told("10.0.0.1"),
    { isFromOutside: true, trustedHops: 1 },
    { source: parsed("192.0.2.9"), remote: parsed("10.0.0.1") },
  ],
  ["from outside, and the platform does not tell", {}, { isFromOutside: true, trustedHops: 0 }, null],
  ["behind a proxy that tells nonsense", told("unknown"), { isFromOutside: true, trustedHops: 1 }, null],
  ["from a Worker", {}, { isFromOutside: false, trustedHops: 0 }, { source: null, remote: null }],
  [
    "from a Worker that tells its client's",
    told("10.0.0.1"),
    { isFromOutside: false, trustedHops: 0 },
    { source: null, remote: parsed("10.0.0.1") },
  ],
  ["from a Worker that tells nonsense", told("unknown"), { isFromOutside: false, trustedHops: 0 }, null],
])("both addresses %s", (_what, headers, way, expected) => {
  expect(addressesOf({ headers: new Headers(headers), ...way })).toEqual(expected);
});
