/**
 * Joins a Worker to the mesh.
 *
 * @example
 * ```ts
 * import { mesh } from "selvedge/worker";
 *
 * export default mesh(
 *   {
 *     fetch: (request, env, ctx) => ctx.mesh.fetch("http://reviews:9080/reviews/1"),
 *   },
 *   { workload: "bookinfo/productpage-v1" },
 * );
 * ```
 *
 * @module
 */
import { respond } from "../../shared/forward/answers.ts";
import { requestIdOf } from "../../shared/forward/onward.ts";
import { receive } from "../../shared/forward/receive.ts";
import type { Welcome } from "../../shared/forward/receive.ts";
import { refuse } from "../../shared/forward/refusal.ts";
import { serve } from "../../shared/forward/serve.ts";
import type { MeshAccess, MeshHandler, MeshOptions, MeshContext } from "./context.ts";
import { createHost, meshOf } from "./host.ts";
import type { Host } from "./host.ts";
import { outboundFetch } from "./outbound.ts";

export type { Caller } from "../../shared/engine/authorize.ts";
export type { MeshAccess, MeshHandler, MeshOptions, MeshContext } from "./context.ts";

const NOT_BOUND = 'Bind the mesh to this Worker: [[services]] binding = "MESH", entrypoint = "Mesh", props.';

/**
 * Wraps a Worker's handlers. A call reaches `fetch` only if the policies of
 * the workload admit it, checked here, from the token that the mesh's hosts
 * send; a Worker that never got its policies refuses every call. All handlers
 * find the mesh at `ctx.mesh`.
 */
export function mesh<Env = unknown, Message = unknown>(
  handler: MeshHandler<Env, Message>,
  options: MeshOptions,
): ExportedHandler<Env, Message> {
  const host = createHost(options);
  const wrapped: ExportedHandler<Env, Message> = {};
  if (handler.fetch !== undefined)
    wrapped.fetch = (request, env, ctx) => answer(host, handler, request, { env, ctx });
  if (handler.scheduled !== undefined)
    wrapped.scheduled = (event, env, ctx) => handler.scheduled?.(event, env, idle(host, env, ctx));
  if (handler.queue !== undefined)
    wrapped.queue = (batch, env, ctx) => handler.queue?.(batch, env, idle(host, env, ctx));
  if (handler.email !== undefined)
    wrapped.email = (message, env, ctx) => handler.email?.(message, env, idle(host, env, ctx));
  if (handler.tail !== undefined)
    wrapped.tail = (events, env, ctx) => handler.tail?.(events, env, idle(host, env, ctx));
  return wrapped;
}

interface Surroundings<Env> {
  readonly env: Env;
  readonly ctx: ExecutionContext;
}

async function answer<Env, Message>(
  host: Host,
  handler: MeshHandler<Env, Message>,
  request: Request,
  { env, ctx }: Surroundings<Env>,
): Promise<Response> {
  const mesh = meshOf(host, env, { ctx, incoming: request });
  if (mesh === null) {
    const requestId = requestIdOf(request.headers, Math.random);
    return respond(refuse("control.unavailable", NOT_BOUND), requestId, request.method);
  }
  const welcome = await receive(mesh, request, host.options.workload);
  const handle = handler.fetch;
  if (welcome instanceof Response || handle === undefined) return welcome as Response;
  const fetch = outboundFetch(mesh, host, welcome.request);
  const { caller, limitFields, end } = welcome;
  const own = withMesh(ctx, { caller, fetch });
  try {
    const response = await serve(mesh, welcome, async (request) => handle(request, env, own));
    return withFields(response, limitFields);
  } finally {
    end?.();
  }
}

/** The handler's own response, unless rate limits have something to tell. */
function withFields(response: Response, fields: Welcome["limitFields"]): Response {
  if (fields.length === 0 || response.status === 101) return response;
  const changed = new Response(response.body, response);
  for (const [name, value] of fields) changed.headers.append(name, value);
  return changed;
}

/** The context of a handler that nobody called through the mesh. */
function idle(host: Host, env: unknown, ctx: ExecutionContext): MeshContext {
  const mesh = meshOf(host, env, { ctx, incoming: null });
  if (mesh === null) throw new Error(NOT_BOUND);
  return withMesh(ctx, { caller: null, fetch: outboundFetch(mesh, host, null) });
}

/** Onto the platform's own object: a copy of it would lose the methods that belong to it. */
function withMesh(ctx: ExecutionContext, mesh: MeshAccess): MeshContext {
  return Object.assign(ctx, { mesh });
}
