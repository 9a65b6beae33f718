/**
 * The admin API's client: sends the token, keeps the time, reads answers by
 * the shared schemas, and turns whatever fails into a `Failure` with a remedy.
 *
 * @module
 */
import type { z } from "zod";
import { API_PREFIX, problemDocument, type ProblemDocument } from "../shared/wire/admin.ts";
import { VERSION } from "../shared/wire/version.ts";
import { EXIT, Failure, type ExitCode } from "./failure.ts";
import type { Settings } from "./settings.ts";

export interface Call<Schema extends z.ZodType> {
  readonly method?: "GET" | "POST" | "DELETE";
  /** Below `/api/v1` unless it begins with `/healthz` or `/.well-known`; steps are already encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly answer: Schema;
}

export interface Client {
  readonly server: string;
  /** One call and its parsed answer; everything else is thrown as a `Failure`. */
  call<Schema extends z.ZodType>(call: Call<Schema>): Promise<z.infer<Schema>>;
}

/** A client of one mesh. It opens no connection before its first call. */
export function createClient(settings: Settings): Client {
  return {
    server: settings.server,
    async call(call) {
      const { response, text } = await exchange(settings, call);
      const value = parseJson(text);
      if (!response.ok) throw refusal(settings, response.status, value);
      const parsed = call.answer.safeParse(value);
      if (!parsed.success) throw strange(settings, `${call.path}: the answer is not what ${VERSION} expects`);
      return parsed.data;
    },
  };
}

async function exchange(
  settings: Settings,
  call: Call<z.ZodType>,
): Promise<{ response: Response; text: string }> {
  const headers = new Headers({ accept: "application/json" });
  if (settings.token !== null) headers.set("authorization", `Bearer ${settings.token}`);
  if (call.body !== undefined) headers.set("content-type", "application/json");
  const url = address(settings, call);
  const body = call.body === undefined ? null : JSON.stringify(call.body);
  try {
    const response = await fetch(url, {
      method: call.method ?? "GET",
      headers,
      body,
      // A redirect would take the token to another place.
      redirect: "manual",
      signal: AbortSignal.timeout(settings.timeoutMs),
    });
    return { response, text: await response.text() };
  } catch (cause) {
    throw unreachable(settings, cause);
  }
}

function address(settings: Settings, call: Call<z.ZodType>): URL {
  const isRoot = call.path.startsWith("/healthz") || call.path.startsWith("/.well-known/");
  const url = new URL(isRoot ? call.path : API_PREFIX + call.path, settings.server);
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return url;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: whoever reads it finds that it is not what a mesh answers.
    return undefined;
  }
}

function unreachable(settings: Settings, cause: unknown): Failure {
  if (cause instanceof Error && cause.name === "TimeoutError") {
    const line = `${settings.server} did not answer within ${settings.timeoutMs / 1000} s.`;
    return new Failure(EXIT.unreachable, [line, "Try again, or give it longer: --request-timeout 2m."], {
      cause,
    });
  }
  const reason = cause instanceof Error ? connectionError(cause) : String(cause);
  const lines = [
    `Nothing answers at ${settings.server}: ${reason}.`,
    "Start a mesh there with `npx selvedge dev`, or name another: --server URL or SELVEDGE_SERVER.",
  ];
  return new Failure(EXIT.unreachable, lines, { cause });
}

/** Node hides why a fetch failed in `cause`, and there in `code`. */
function connectionError(error: Error): string {
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return "code" in cause && typeof cause.code === "string" ? cause.code : cause.message;
}

function refusal(settings: Settings, status: number, value: unknown): Failure {
  const parsed = problemDocument.safeParse(value);
  if (!parsed.success) return strange(settings, `answered ${status} without a problem document`);
  const problem = parsed.data;
  const fields = (problem.fields ?? []).map(({ path, message }) => `  ${path}: ${message}`);
  const lines = [`${problem.title}: ${problem.detail}`, ...fields, ...remedy(problem)];
  return new Failure(exitCodeOf(problem), lines, { code: problem.code });
}

function exitCodeOf(problem: ProblemDocument): ExitCode {
  if (problem.status === 401 || problem.status === 403) return EXIT.refused;
  return problem.status === 404 ? EXIT.notFound : EXIT.failure;
}

function remedy(problem: ProblemDocument): readonly string[] {
  switch (problem.code) {
    case "admin.unauthorized":
      return ["Pass --token, set SELVEDGE_ADMIN_TOKEN, or run where .selvedge/admin-token lies."];
    case "config.revision":
      return ["See what changed with `selvedge revisions`, then apply again on that revision."];
    case "config.flips":
      return ["See them with `selvedge authz simulate`; apply with --force if that is what is meant."];
    case "internal":
      return [`Look for ${problem.instance} in the mesh's logs.`];
    default:
      return [];
  }
}

function strange(settings: Settings, what: string): Failure {
  return new Failure(EXIT.failure, [
    `${settings.server} ${what}.`,
    "Is it a Selvedge mesh, and of this release? See `selvedge version`.",
  ]);
}
