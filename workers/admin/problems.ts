/**
 * Failures of the admin API as RFC 9457 problem details. One function turns a
 * failure into a response; nothing internal gets out.
 *
 * @module
 */
import type { Hook } from "@hono/zod-openapi";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { z } from "zod";
import type { ProblemDocument } from "../../shared/wire/admin.ts";
import {
  MeshError,
  PROBLEMS,
  type FieldProblem,
  type Outcome,
  type Problem,
} from "../../shared/wire/problem.ts";
import type { AdminEnv } from "./context.ts";

/** The response that tells a problem. Every answer above 399 is made here. */
export function answerProblem(c: Context<AdminEnv>, problem: Problem): Response {
  const { status, title } = PROBLEMS[problem.code];
  const body: ProblemDocument = {
    type: "about:blank",
    title,
    status,
    code: problem.code,
    detail: problem.detail,
    instance: c.get("requestId"),
    ...(problem.fields === undefined ? {} : { fields: problem.fields }),
  };
  const headers = new Headers({ "content-type": "application/problem+json" });
  if (status === 401) headers.set("www-authenticate", 'Bearer realm="selvedge admin"');
  if (problem.retryAfterMs !== undefined) {
    headers.set("retry-after", String(Math.ceil(problem.retryAfterMs / 1000)));
  }
  return new Response(JSON.stringify(body), { status, headers });
}

/** The outermost handler: answers what was thrown on purpose, logs and hides the rest. */
export async function answerError(error: Error, c: Context<AdminEnv>): Promise<Response> {
  if (error instanceof MeshError) return answerProblem(c, error.problem);
  if (error instanceof HTTPException && error.status < 500) return answerProblem(c, await unreadable(c));

  const { requestId } = c.var;
  const { method, path } = c.req;
  console.error(
    JSON.stringify({
      level: "error",
      at: "admin",
      requestId,
      method,
      path,
      error: error.stack ?? String(error),
    }),
  );
  return answerProblem(c, isPassing(error) ? UNAVAILABLE : INTERNAL);
}

const INTERNAL: Problem = {
  code: "internal",
  detail: "The mesh failed to answer. Its logs have the cause under this request id.",
};

const UNAVAILABLE: Problem = {
  code: "control.unavailable",
  detail: "The mesh's control plane is busy or moving. Try again.",
  retryAfterMs: 1000,
};

/** What an object's stub throws when it may be asked again: `retryable` and `overloaded` are the platform's. */
function isPassing(error: Error): boolean {
  const isRetryable = "retryable" in error && error.retryable === true;
  return isRetryable || ("overloaded" in error && error.overloaded === true);
}

/** Hono tells a body that is no JSON by an exception without position; parsing again finds it. */
async function unreadable(c: Context<AdminEnv>): Promise<Problem> {
  try {
    JSON.parse(await c.req.text());
  } catch (error) {
    if (error instanceof SyntaxError) return malformed(`The body is not JSON: ${error.message}`);
  }
  return malformed("The request cannot be read.");
}

/** The value of a successful outcome; a failed one travels to the outermost handler. */
export function unwrap<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new MeshError(outcome.problem);
  return outcome.value;
}

/** A request that does not follow the API's grammar. */
export function malformed(detail: string, fields?: readonly FieldProblem[]): Problem {
  return { code: "request.malformed", detail, ...(fields === undefined ? {} : { fields }) };
}

/** Answers what a schema refused: every field at once; 422 for bodies, 400 for paths and queries. */
export const answerInvalid: Hook<unknown, AdminEnv, string, Response | undefined> = (result, c) => {
  if (result.success) return undefined;
  if (result.target === "json") {
    const fields = fieldProblems(result.error, "");
    return answerProblem(c, { code: "config.invalid", detail: "The body is not valid; see fields.", fields });
  }
  const where = result.target === "query" ? "query" : "path";
  const fields = fieldProblems(result.error, where);
  return answerProblem(c, malformed(`The ${where} is not valid; see fields.`, fields));
};

/** Every issue of a failed parse with the path of its field, `refs[0].name`. */
function fieldProblems(error: z.ZodError, root: string): readonly FieldProblem[] {
  return error.issues.flatMap((issue) => {
    if (issue.code !== "unrecognized_keys") {
      return [{ path: pathText(root, issue.path), message: issue.message }];
    }
    return issue.keys.map((key) => ({
      path: pathText(root, [...issue.path, key]),
      message: "unknown field: check the spelling or remove it",
    }));
  });
}

function pathText(root: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    return text === "" ? String(step) : `${text}.${String(step)}`;
  }, root);
}
