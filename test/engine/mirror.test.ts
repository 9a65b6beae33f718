import { expect, test } from "vitest";
import * as mirror from "../../shared/engine/mirror.ts";

const at = (service: string, change: Partial<mirror.Mirror> = {}): mirror.Mirror => ({
  service: `shop/${service}`,
  port: 80,
  share: 1,
  ...change,
});

test.each<[mirrors: mirror.Mirror[], draws: number[], expected: string[]]>([
  [[], [], []],
  [
    [at("a"), at("b")],
    [0.9, 0.9],
    ["shop/a", "shop/b"],
  ],
  [[at("a", { share: 0 })], [0], []],
  [[at("a", { share: 0.2 })], [0.19], ["shop/a"]],
  [[at("a", { share: 0.2 })], [0.2], []],
  [[at("a", { share: 0.2 }), at("b", { share: 0.2 })], [0.9, 0.1], ["shop/b"]],
  [[at("a", { invalid: "backend.missing" }), at("b")], [0, 0], ["shop/b"]],
])("of %j with %j drawn, %j get a copy", (mirrors, draws, expected) => {
  const left = [...draws];
  expect(mirror.choose(mirrors, () => left.shift() ?? 1).map(({ service }) => service)).toEqual(expected);
});
