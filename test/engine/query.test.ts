import { expect, test } from "vitest";
import { parseQuery, valuesOf } from "../../shared/engine/query.ts";
import { oneOf, seeded, severalOf } from "./random.ts";

test.each([
  ["", {}],
  ["a=b", { a: "b" }],
  ["a", { a: "" }],
  ["a=", { a: "" }],
  ["=b", { "": "b" }],
  ["a=b=c", { a: "b=c" }],
  ["&&a=b&&c=d&", { a: "b", c: "d" }],
  ["a=first&a=second", { a: "first" }],
  ["a=b+c%20d%2B", { a: "b c d+" }],
  ["%61+b=%e2%82%ac", { "a b": "€" }],
  ["a%26b=c%3Dd", { "a&b": "c=d" }],
  ["a=1;b=2", { a: "1;b=2" }],
  ["__proto__=x", { ["__proto__"]: "x" }],
  // Escapes that do not decode.
  ["a=%", { a: "%" }],
  ["a=%zz+b", { a: "%zz+b" }],
  ["a=%ff&%c0=1", { a: "%ff", "%c0": "1" }],
])("%s", (query, parameters) => {
  expect([...parseQuery(query)]).toEqual(Object.entries(parameters));
});

test("well-formed queries read as the URL standard reads them", () => {
  const random = seeded(4);
  for (let run = 0; run < 5_000; run++) {
    const query = severalOf(random, 0, 8, () => oneOf(random, [..."ab=&+", "%41", "%26", "%c3%a9"])).join("");
    const standard = new URLSearchParams(query);
    const parameters = [...new Set(standard.keys())].map((name) => [name, standard.get(name)]);
    expect([...parseQuery(query)], query).toEqual(parameters);
  }
});

test("all values of a parameter are those that the URL standard reads", () => {
  const random = seeded(5);
  for (let run = 0; run < 5_000; run++) {
    const query = severalOf(random, 0, 8, () => oneOf(random, [..."ab=&+", "%61", "%26"])).join("");
    expect(valuesOf(query, "a"), query).toEqual(new URLSearchParams(query).getAll("a"));
  }
});
