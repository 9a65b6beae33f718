import { describe, expect, test } from "vitest";
import * as path from "../../shared/engine/path.ts";
import { readCases } from "./cases.ts";

interface Row {
  readonly in: string;
  readonly out: string;
  readonly reject?: boolean;
}

interface IstioCases {
  readonly cases: readonly (Row & { readonly level: string })[];
}

interface EnvoyTables {
  readonly pathNormalization: {
    readonly rfc3986: readonly Row[];
    readonly mergeSlashes: readonly Row[];
    readonly unescapeSlashes: readonly Row[];
    readonly removeQueryAndFragment: readonly Row[];
  };
}

const LEVELS: Readonly<Record<string, path.PathLevel>> = {
  NONE: "none",
  BASE: "base",
  MERGE_SLASHES: "merge-slashes",
  DECODE_AND_MERGE_SLASHES: "decode-and-merge-slashes",
};

const istio = readCases<IstioCases>("istio-path-normalization.json");

describe.skipIf(istio.content === null)(`Istio's path normalization${istio.absence}`, () => {
  test.each(istio.content?.cases ?? [])("$level: $in is $out", (row) => {
    const level = LEVELS[row.level];
    expect(level).toBeDefined();
    expect(path.canonicalize(row.in, level)).toEqual({ kind: "ok", path: row.out, query: "" });
  });
});

const envoy = readCases<EnvoyTables>("envoy-tables.json");

describe.skipIf(envoy.content === null)(`Envoy's path utilities${envoy.absence}`, () => {
  const tables = envoy.content?.pathNormalization;

  test.each(tables?.rfc3986 ?? [])("normalized, $in is $out", (row) => {
    expect(path.normalize(row.in)).toBe(row.reject === true ? null : row.out);
  });

  test.each(tables?.mergeSlashes ?? [])("with its slashes merged, $in is $out", (row) => {
    expect(ofPath(row.in, path.mergeSlashes)).toBe(row.out);
  });

  test.each(tables?.unescapeSlashes ?? [])("with its slashes decoded, $in is $out", (row) => {
    expect(ofPath(row.in, path.unescapeSlashes)).toBe(row.out);
  });

  // A target without a path is no target in origin form: the door refuses it.
  const targets = (tables?.removeQueryAndFragment ?? []).filter((row) => row.in !== "");
  test.each(targets)("without query and fragment, $in is $out", (row) => {
    expect(path.canonicalize(row.in, "none")).toMatchObject({ kind: "ok", path: row.out });
  });
});

/** Envoy's functions leave the query alone; here the query is cut off before. */
function ofPath(target: string, change: (path: string) => string): string {
  const [head = "", ...query] = target.split("?");
  return [change(head), ...query].join("?");
}
