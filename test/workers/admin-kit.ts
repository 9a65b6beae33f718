/** A caller of the admin API inside the Workers runtime, with the real objects behind it. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env as bindings } from "cloudflare:workers";
import type { Env } from "../../durable-objects/env.ts";
import { admin } from "../../workers/admin/app.ts";

export const TOKEN = "correct-horse-battery-staple";

/** SHA-256 of `TOKEN`: `printf %s correct-horse-battery-staple | sha256sum`. */
export const TOKEN_SHA256 = "87cbebfeebc05f7c54ac9336c4b4bbec831227a641951a4bde7edd56020f8590";

export const env: Env = { ...bindings, SELVEDGE_ADMIN_TOKEN_SHA256: TOKEN_SHA256 };

export interface Asked {
  readonly method?: string;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is, with whatever `headers` say. */
  readonly body?: BodyInit;
  readonly headers?: Readonly<Record<string, string>>;
  readonly env?: Env;
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** Asks as the admin; headers that are given replace the kit's own, and an empty one removes it. */
export async function ask(path: string, asked: Asked = {}): Promise<Answered> {
  const headers = new Headers({ authorization: `Bearer ${TOKEN}` });
  if (asked.json !== undefined) headers.set("content-type", "application/json");
  for (const [name, value] of Object.entries(asked.headers ?? {})) {
    if (value === "") headers.delete(name);
    else headers.set(name, value);
  }
  const body = asked.json === undefined ? (asked.body ?? null) : JSON.stringify(asked.json);
  const request = new Request(`http://127.0.0.1:8787${path}`, {
    method: asked.method ?? "GET",
    headers,
    body,
  });
  const ctx = createExecutionContext();
  const response = await admin.fetch(request, asked.env ?? env, ctx);
  await waitOnExecutionContext(ctx);
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") === true;
  return {
    status: response.status,
    headers: response.headers,
    body: isJson && text !== "" ? JSON.parse(text) : text,
  };
}
