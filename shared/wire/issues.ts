/**
 * From a schema's issues to problems that a person can act on.
 *
 * @module
 */
import { z } from "zod";
import type { FieldProblem } from "./problem.ts";

/** Words for the issues that a schema does not word itself. Handed to `safeParse` as its `error`. */
export function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined
        ? `is required: write ${article(issue.expected)}`
        : `must be ${article(issue.expected)}, not ${nameOf(issue.input)}`;
    case "invalid_value":
      return `must be ${issue.values.map(String).join(" or ")}`;
    case "invalid_union":
      return "has none of the accepted forms";
    case "too_small":
      return `must be at least ${issue.minimum}${counted(issue.origin, issue.minimum)}`;
    case "too_big":
      return `must be at most ${issue.maximum}${counted(issue.origin, issue.maximum)}`;
    case "unrecognized_keys":
      return `unknown field; known here: ${knownKeys(issue.inst).join(", ")}`;
    default:
      return undefined;
  }
}

const COUNTED: Readonly<Record<string, readonly [string, string]>> = {
  array: ["item", "items"],
  string: ["character", "characters"],
};

function counted(origin: string, limit: number | bigint): string {
  const [one, many] = COUNTED[origin] ?? [];
  return one === undefined ? "" : ` ${limit === 1 ? one : many}`;
}

function article(expected: string): string {
  const names: Readonly<Record<string, string>> = {
    int: "a whole number",
    object: "an object",
    array: "a list",
    record: "an object",
    boolean: "true or false",
  };
  return names[expected] ?? `a ${expected}`;
}

function nameOf(input: unknown): string {
  if (input === null) return "null";
  if (Array.isArray(input)) return "a list";
  if (typeof input === "number" && !Number.isInteger(input)) return "a fraction";
  return typeof input === "object" ? "an object" : `a ${typeof input}`;
}

/** The fields that mean something; those that are refused or kept without meaning are no advice. */
function knownKeys(schema: unknown): string[] {
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries(schema.shape).flatMap(([key, field]) => (isMeaningless(field) ? [] : [key]));
}

function isMeaningless(field: unknown): boolean {
  if (!(field instanceof z.ZodOptional)) return false;
  const inner: unknown = field.unwrap();
  return inner instanceof z.ZodNever || inner instanceof z.ZodUnknown;
}

/** One problem per issue; an unknown field is named by its own path. `where` names the document. */
export function problemsOf(error: z.ZodError, where: string): FieldProblem[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => problem(where, [...issue.path, key], issue.message));
    }
    if (issue.code === "invalid_key")
      return problem(where, issue.path, issue.issues[0]?.message ?? issue.message);
    return problem(where, issue.path, issue.message);
  });
}

function problem(where: string, path: readonly PropertyKey[], message: string): FieldProblem {
  return { path: path.length === 0 ? where : `${where}: ${formatPath(path)}`, message };
}

/** `spec.rules[0].matches`; names that are not identifiers in brackets and quotes. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => {
      if (typeof part === "number") return `[${part}]`;
      const name = String(part);
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return `[${JSON.stringify(name)}]`;
      return index === 0 ? name : `.${name}`;
    })
    .join("");
}
