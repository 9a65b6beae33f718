import { expect, test } from "vitest";
import { displayName, paint, plain, renderTable, toDocument } from "../../cli/output.ts";
import { QUIET } from "./cli-kit.ts";

test("a table has columns three blanks apart and no blanks at line ends", () => {
  expect(
    renderTable(
      ["NAME", "AGE"],
      [
        ["a-long-name", "1s"],
        ["b", ""],
      ],
    ),
  ).toBe("NAME          AGE\na-long-name   1s\nb\n");
});

test.each([
  ["v1", "Service", "service/x"],
  ["gateway.networking.k8s.io/v1", "HTTPRoute", "httproute.gateway.networking.k8s.io/x"],
])("%s %s", (apiVersion, kind, name) => {
  expect(displayName({ apiVersion, kind, name: "x" })).toBe(name);
});

test("text from the mesh cannot steer the terminal", () => {
  expect(plain("a\u001b[2Jb\nc\u009bd")).toBe("a\ufffd[2Jb\ufffdc\ufffdd");
});

test.each([
  [true, {}, "\u001b[31mno\u001b[0m"],
  [true, { NO_COLOR: "" }, "\u001b[31mno\u001b[0m"],
  [true, { NO_COLOR: "1" }, "no"],
  [false, {}, "no"],
])("color on a terminal (%s) with %j", (isTerminal, env, text) => {
  expect(paint({ ...QUIET, isTerminal, env }, "red", "no")).toBe(text);
});

test("a document leaves empty metadata out", () => {
  const metadata = {
    name: "a",
    namespace: "",
    labels: {},
    annotations: {},
    uid: "u",
    generation: 1,
    creationTimestamp: "t",
  };
  const spec = { x: 1 };
  expect(toDocument({ apiVersion: "v1", kind: "Namespace", metadata, spec })).toEqual({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "a", uid: "u", generation: 1, creationTimestamp: "t" },
    spec,
  });
});
