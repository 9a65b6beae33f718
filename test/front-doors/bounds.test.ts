/** Small documents of other meshes that would become very many: they are refused before they are written down. */
import { expect, test } from "vitest";
import { problemsOf } from "./translated.ts";

const TO_WEB = "route: [{destination: {host: web}}]";
const FREE = `{match: [${Array.from({ length: 64 }, () => "{uri: {prefix: /a}}").join(", ")}], ${TO_WEB}}`;
const PORTS = `{match: [${Array.from({ length: 128 }, (_, port) => `{port: ${port + 1}}`).join(", ")}], ${TO_WEB}}`;

function virtualService(...rules: readonly string[]): string {
  const spec = `{hosts: [web], http: [${rules.join(", ")}]}`;
  return `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: web}, spec: ${spec}}`;
}

test.each([
  ["few rules at many ports", [PORTS], []],
  ["many rules at all ports", Array.from({ length: 100 }, () => FREE), []],
  ["rules at many ports", [PORTS, FREE, FREE], ["spec.http: becomes 16640 matches, of at most 8192"]],
])("a VirtualService with %s", (_, rules, expected) => {
  expect(problemsOf(virtualService(...rules))).toEqual(expected.map((text) => expect.stringContaining(text)));
});

function splitter(name: string, next: string): string {
  const splits = Array.from({ length: 10 }, () => ({ Weight: 10, Service: next }));
  return JSON.stringify({ Kind: "service-splitter", Name: name, Splits: splits });
}

test("splits of splits that do not come to an end are refused, however many they would be", () => {
  const names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
  const list = names.map((name, index) => splitter(name, names[index + 1] ?? "end"));
  expect(problemsOf(list.join("\n---\n")).filter((problem) => problem.includes("shop/a:"))).toEqual([
    "Consul shop/a: spec: the chain of a runs in a circle, or splits too often",
  ]);
});
