import { expect, test } from "vitest";
import { createWhereabouts, learnPlace, readPlace } from "../../workers/place.ts";

const from = (continent: unknown, colo: unknown): Request =>
  new Request("http://a.test/", { cf: { continent, colo } as RequestInitCfProperties });

const placeAfter = (...requests: readonly (Request | null)[]) => {
  const whereabouts = createWhereabouts();
  for (const request of requests) learnPlace(whereabouts, request);
  return whereabouts.place;
};

const FRANKFURT = { region: "EU", zone: "FRA" };

test.each<[string, readonly (Request | null)[], object | null]>([
  ["no request", [null], null],
  ["a request that tells nothing", [new Request("http://a.test/")], null],
  ["one without a continent", [from(undefined, "FRA")], null],
  ["one with fields that are no texts", [from(1, "FRA"), from("EU", "")], null],
  ["one request", [from("EU", "FRA")], FRANKFURT],
  [
    "a client who is far from home, first",
    [from("AF", "FRA"), from("EU", "FRA"), from("EU", "FRA")],
    FRANKFURT,
  ],
  [
    "a client who is far from home, last",
    [from("EU", "FRA"), from("EU", "FRA"), from("AF", "FRA")],
    FRANKFURT,
  ],
  [
    "enough of them: what comes later decides nothing",
    [
      ...Array.from({ length: 15 }, () => from("EU", "FRA")),
      ...Array.from({ length: 40 }, () => from("AF", "FRA")),
    ],
    FRANKFURT,
  ],
])("an isolate learns where it is: %s", (_name, requests, expected) => {
  expect(placeAfter(...requests)).toEqual(expected);
});

test.each([
  ["eu/eu-a", { region: "eu", zone: "eu-a" }],
  ["eu", { region: "eu", zone: "" }],
  ["eu/a/b", null],
  ["", null],
  ["e u", null],
  [undefined, null],
])("%s is configured: %o", (text, expected) => {
  expect(readPlace(text)).toEqual(expected);
});
