/**
 * KV namespaces of the local runtime: what stands behind a KV binding there.
 * The runtime turns the binding's calls into HTTP; this answers those that the
 * mesh makes (get, get of several, put, delete) from an object on disk.
 *
 * @module
 */
import { DurableObject } from "cloudflare:workers";
import { migrate } from "../durable-objects/schema.ts";

interface Env {
  readonly NAMESPACE: DurableObjectNamespace<KvObject>;
}

/** Of a binding: which namespace it is for. */
interface Props {
  readonly namespace: string;
}

const MIGRATIONS: readonly string[] = [
  "CREATE TABLE entries (name TEXT PRIMARY KEY, value BLOB NOT NULL, expires_at INTEGER) WITHOUT ROWID",
];

/** One namespace. */
export class KvObject extends DurableObject<Env> {
  readonly #sql: SqlStorage;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    migrate(ctx.storage, MIGRATIONS);
    this.#sql = ctx.storage.sql;
  }

  override async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (request.method === "POST" && pathname === "/bulk/get") return this.#getSeveral(await request.json());
    const name = decodeURIComponent(pathname.slice(1));
    switch (request.method) {
      case "GET":
        return this.#get(name);
      case "PUT":
        return this.#put(name, await request.arrayBuffer(), searchParams.get("expiration_ttl"));
      case "DELETE":
        this.#sql.exec("DELETE FROM entries WHERE name = ?", name);
        return new Response();
      default:
        return new Response("not supported locally", { status: 405 });
    }
  }

  #get(name: string): Response {
    const value = this.#value(name);
    return value === null ? new Response("no such key", { status: 404 }) : new Response(value);
  }

  #getSeveral({ keys }: { readonly keys: readonly string[] }): Response {
    const decoder = new TextDecoder();
    const values = keys.map((name) => {
      const value = this.#value(name);
      return [name, value === null ? null : decoder.decode(value)];
    });
    return Response.json(Object.fromEntries(values));
  }

  #put(name: string, value: ArrayBuffer, ttlSeconds: string | null): Response {
    const expiresAt = ttlSeconds === null ? null : Date.now() + Number(ttlSeconds) * 1_000;
    this.#sql.exec("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", name, value, expiresAt);
    return new Response();
  }

  #value(name: string): ArrayBuffer | null {
    const [row] = this.#sql.exec<{ value: ArrayBuffer }>(
      "SELECT value FROM entries WHERE name = ? AND (expires_at IS NULL OR expires_at > ?)",
      name,
      Date.now(),
    );
    return row?.value ?? null;
  }
}

export default {
  fetch(request, env, ctx) {
    const { namespace }: Partial<Props> = ctx.props ?? {};
    if (namespace === undefined) return new Response("the binding names no namespace", { status: 500 });
    return env.NAMESPACE.getByName(namespace).fetch(request);
  },
} satisfies ExportedHandler<Env>;
