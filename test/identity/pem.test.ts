import { expect, test } from "vitest";
import { readPem, writePem } from "../../shared/identity/pem.ts";

test("reads what it writes, whatever stands around it", () => {
  const long = "A".repeat(100);
  const text = `Subject: x\n${writePem("CERTIFICATE", long)}\n${writePem("PRIVATE KEY", "AAAA").replaceAll("\n", "\r\n")}`;

  expect(readPem(text)).toEqual([
    { label: "CERTIFICATE", base64: long },
    { label: "PRIVATE KEY", base64: "AAAA" },
  ]);
});

test.each([
  ["another end", "-----BEGIN A-----\nAAAA\n-----END B-----"],
  ["no end", "-----BEGIN A-----\nAAAA\n"],
  ["no line break", "-----BEGIN A-----AAAA-----END A-----"],
  ["nothing inside", "-----BEGIN A-----\n-----END A-----"],
])("%s is no block", (_what, text) => {
  expect(readPem(text)).toEqual([]);
});

test("a text of a mebibyte without an end is read in no time to speak of", () => {
  const startedAt = performance.now();
  expect(readPem(`-----BEGIN A-----${" ".repeat(1_048_576)}`)).toEqual([]);
  // In the square of its length it would take ten minutes.
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});
