/** Calls that go round in circles, and counts that lie about it. */
import { type Attack, DOOR, get } from "./attack.ts";

const COUNTS = [
  "9",
  "10",
  "99",
  "100",
  "-1",
  "+1",
  "0x1",
  "1e1",
  "1.5",
  "one",
  "",
  "1, 1",
  "01x",
  "\u0663",
  "NaN",
  "Infinity",
];

export function loopAttacks(): Attack[] {
  return [
    ...COUNTS.map((count) =>
      attack(`a count of ${count}`, DOOR, [`X-Selvedge-Hops: ${count}`], ["508 loop.detected"]),
    ),
    attack("two counts", DOOR, ["X-Selvedge-Hops: 1", "X-Selvedge-Hops: 1"], ["508 loop.detected"]),
    attack("a circle", "ring.fort.mesh.localhost", [], ["508 loop.detected"]),
    attack(
      "a circle entered late",
      "ring.fort.mesh.localhost",
      ["X-Selvedge-Hops: 8"],
      ["508 loop.detected"],
    ),
    attack(
      "a circle that claims to begin",
      "ring.fort.mesh.localhost",
      ["X-Selvedge-Hops: 0"],
      ["508 loop.detected"],
    ),
    attack(
      "the platform's list of hops",
      "ring.fort.mesh.localhost",
      ["CDN-Loop: a, b"],
      ["508 loop.detected"],
    ),
  ];
}

function attack(name: string, host: string, lines: readonly string[], expected: readonly string[]): Attack {
  return {
    id: `loop ${name}`,
    class: "loops",
    at: "edge",
    how: get("/open", [`Host: ${host}`, ...lines]),
    expected,
  };
}
