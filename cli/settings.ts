/**
 * Which mesh a command speaks to, and as whom.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseDuration } from "./duration.ts";
import { EXIT, Failure } from "./failure.ts";
import type { Io } from "./io.ts";

/** The global options, as the command line has them. */
export interface GlobalOptions {
  readonly server?: string;
  readonly token?: string;
  readonly requestTimeout?: string;
  readonly namespace?: string;
}

export interface Settings {
  /** The mesh's admin API: an origin, without a trailing slash. */
  readonly server: string;
  /** The admin token; null when none was found. */
  readonly token: string | null;
  readonly timeoutMs: number;
}

/** Where `selvedge dev` listens. */
export const DEFAULT_SERVER = "http://127.0.0.1:8787";

/** Longer than any apply takes. */
const DEFAULT_TIMEOUT = "30s";

/** Options first, then the environment, then what `selvedge dev` left in the folder or above it. */
export function resolveSettings(options: GlobalOptions, io: Io): Settings {
  const token = options.token ?? nonEmpty(io.env["SELVEDGE_ADMIN_TOKEN"]) ?? findToken(io.cwd);
  return {
    server: parseServer(options.server ?? nonEmpty(io.env["SELVEDGE_SERVER"]) ?? DEFAULT_SERVER),
    token: token === null ? null : checkToken(token.trim()),
    timeoutMs: parseDuration(options.requestTimeout ?? DEFAULT_TIMEOUT, "--request-timeout"),
  };
}

/** Whether the token would cross a network in clear text. */
export function isExposed(settings: Settings): boolean {
  const { protocol, hostname } = new URL(settings.server);
  const isLoopback = /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
  return settings.token !== null && protocol === "http:" && !isLoopback;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

function parseServer(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isWeb = url !== null && (url.protocol === "http:" || url.protocol === "https:");
  if (!isWeb || url.pathname !== "/" || url.search !== "" || url.username !== "" || url.password !== "") {
    throw new Failure(EXIT.usage, [`--server: "${text}" is no origin; write https://mesh.example.`]);
  }
  return url.origin;
}

function checkToken(token: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new Failure(EXIT.refused, ["The admin token is empty, or has blanks or letters that no token has."]);
}

function findToken(folder: string): string | null {
  try {
    return readFileSync(join(folder, ".selvedge", "admin-token"), "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "ENOENT" && code !== "ENOTDIR") throw unreadable(folder, error);
  }
  const parent = dirname(folder);
  return parent === folder ? null : findToken(parent);
}

function unreadable(folder: string, cause: unknown): Failure {
  const path = join(folder, ".selvedge", "admin-token");
  return new Failure(EXIT.refused, [`${path} cannot be read.`, "Pass --token or set SELVEDGE_ADMIN_TOKEN."], {
    cause,
  });
}
