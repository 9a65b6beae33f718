/**
 * Bodies at the door: JSON only, counted while they are read, and not too
 * deep, before anything parses them.
 *
 * @module
 */
import type { MiddlewareHandler } from "hono";
import { API_PREFIX, MAX_BODY_BYTES, MAX_CONFIGURATION_BYTES } from "../../shared/wire/admin.ts";
import { MeshError, type ProblemCode } from "../../shared/wire/problem.ts";
import type { AdminEnv } from "./context.ts";

/** Deeper JSON is refused: twice what a resource may have (32); structured clone breaks near 5,000. */
const MAX_DEPTH = 64;

const CONFIGURATION_PATHS = ["apply", "delete", "simulate"].map((name) => `${API_PREFIX}/${name}`);

/** Reads and checks the body of a request that has one; handlers find it as text, of JSON or empty. */
export const checkBody: MiddlewareHandler<AdminEnv> = async (c, next) => {
  const { raw } = c.req;
  if (raw.body !== null && c.req.method !== "GET" && c.req.method !== "HEAD") {
    const limit = CONFIGURATION_PATHS.includes(c.req.path) ? MAX_CONFIGURATION_BYTES : MAX_BODY_BYTES;
    const bytes = await readBytes(raw.body, Number(c.req.header("content-length") ?? 0), limit);
    if (bytes.length > 0) assertJsonType(c.req.header("content-type"), c.req.header("content-encoding"));
    const text = decode(bytes);
    if (isDeeper(text, MAX_DEPTH))
      refuse("request.malformed", `The body nests deeper than ${MAX_DEPTH} levels.`);
    c.req.raw = new Request(raw, { method: raw.method, body: text });
  }
  await next();
};

/** The whole body. A length that lies, or none at all, does not get more than `limit` bytes in. */
async function readBytes(
  body: ReadableStream<Uint8Array>,
  declared: number,
  limit: number,
): Promise<Uint8Array> {
  if (declared > limit) refuseSize(limit);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > limit) refuseSize(limit);
    chunks.push(chunk);
  }
  return join(chunks, length);
}

function join(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

function assertJsonType(type: string | undefined, encoding: string | undefined): void {
  const isJson = type !== undefined && /^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type);
  if (!isJson) refuse("body.media_type", "Send JSON: content-type: application/json.");
  if (encoding !== undefined && encoding !== "identity") {
    refuse("body.media_type", "Send the body without content-encoding.");
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch (cause) {
    throw new MeshError({ code: "request.malformed", detail: "The body is not UTF-8." }, { cause });
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Whether brackets outside strings nest deeper than `limit`. Text that is no JSON gets some answer, and fails later. */
function isDeeper(text: string, limit: number): boolean {
  let depth = 0;
  let isString = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (isString) {
      if (code === BACKSLASH) at += 1;
      else if (code === QUOTE) isString = false;
    } else if (code === QUOTE) isString = true;
    // "[" and "{", then "]" and "}".
    else if (code === 0x5b || code === 0x7b) depth += 1;
    else if (code === 0x5d || code === 0x7d) depth -= 1;
    if (depth > limit) return true;
  }
  return false;
}

function refuseSize(limit: number): never {
  return refuse("body.too_large", `The body may have ${limit} bytes here. Send less at once.`);
}

function refuse(code: ProblemCode, detail: string): never {
  throw new MeshError({ code, detail });
}
