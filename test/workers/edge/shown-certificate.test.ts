import { expect, test } from "vitest";
import { shownCertificate } from "../../../workers/edge/shown-certificate.ts";

const GOOD = {
  certPresented: "1",
  certVerified: "SUCCESS",
  certRevoked: "0",
  certRFC9440: ":AAEC:",
  certChainRFC9440: ":AwQF:, :BgcI:",
};

function read(tlsClientAuth: unknown): unknown {
  const shown = shownCertificate({ colo: "FRA", tlsClientAuth });
  if (shown === null) return null;
  const { verdict, isRevoked, leaf, chain } = shown;
  return [verdict, isRevoked, leaf, chain];
}

test.each<[string, unknown, unknown]>([
  ["a certificate", GOOD, ["SUCCESS", false, "AAEC", ["AwQF", "BgcI"]]],
  ["none", { certPresented: "0", certVerified: "NONE", certRevoked: "0", certRFC9440: "" }, null],
  ["nothing", undefined, null],
  ["null", null, null],
  ["a text", "SUCCESS", null],
  ["no word on whether there is one", { certVerified: "SUCCESS" }, null],
  ["a strange word on it", { ...GOOD, certPresented: true }, ["", false, "AAEC", ["AwQF", "BgcI"]]],
  [
    "a failure",
    { ...GOOD, certVerified: "FAILED:self signed certificate" },
    ["FAILED:self signed certificate", false, "AAEC", ["AwQF", "BgcI"]],
  ],
  ["no verdict", { ...GOOD, certVerified: undefined }, ["", false, "AAEC", ["AwQF", "BgcI"]]],
  ["a revoked one", { ...GOOD, certRevoked: "1" }, ["SUCCESS", true, "AAEC", ["AwQF", "BgcI"]]],
  ["no word on revocation", { ...GOOD, certRevoked: undefined }, ["SUCCESS", true, "AAEC", ["AwQF", "BgcI"]]],
  ["one that is too large", { ...GOOD, certRFC9440: "" }, ["SUCCESS", false, "", ["AwQF", "BgcI"]]],
  ["one in another form", { ...GOOD, certRFC9440: "AAEC" }, ["SUCCESS", false, "", ["AwQF", "BgcI"]]],
  ["two for one", { ...GOOD, certRFC9440: ":AAEC:, :AAED:" }, ["", false, "AAEC", ["AwQF", "BgcI"]]],
  ["no chain", { ...GOOD, certChainRFC9440: "" }, ["SUCCESS", false, "AAEC", []]],
  ["half a chain", { ...GOOD, certChainRFC9440: ":AwQF:, :x" }, ["SUCCESS", false, "AAEC", []]],
])("of %s", (_, told, expected) => {
  expect(read(told)).toEqual(expected);
});

test.each([undefined, null, "x", {}])("a connection of which the platform says %j has none", (cf) => {
  expect(shownCertificate(cf)).toBeNull();
});
