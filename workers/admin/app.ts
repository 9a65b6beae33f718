/**
 * The admin API: one Hono application, guarded as a whole, described by the
 * same schemas that check it.
 *
 * @module
 */
import { OpenAPIHono } from "@hono/zod-openapi";
import type { Env } from "../../durable-objects/env.ts";
import { checkBody } from "./body.ts";
import type { AdminEnv } from "./context.ts";
import { addDescription, answerUnrouted } from "./describe.ts";
import { guardBy, hardenAnswer, identifyRequest, refuseForeignOrigin, refuseMeshTraffic } from "./guards.ts";
import { answerError, answerInvalid } from "./problems.ts";
import { addAccessRoutes } from "./routes/access.ts";
import { addAuthorityRoutes } from "./routes/authority.ts";
import { addAuthzRoutes } from "./routes/authz.ts";
import { addExplainRoutes } from "./routes/explain.ts";
import { addIdentityRoutes } from "./routes/identity.ts";
import { addJoinRoutes } from "./routes/join.ts";
import { addObserveRoutes } from "./routes/observe.ts";
import { addResourceRoutes } from "./routes/resources.ts";
import { addRevisionRoutes } from "./routes/revisions.ts";
import { addServiceRoutes } from "./routes/services.ts";
import { addSimulateRoutes } from "./routes/simulate.ts";

function createApp(): OpenAPIHono<AdminEnv> {
  const app = new OpenAPIHono<AdminEnv>({ defaultHook: answerInvalid });
  app.onError(answerError);
  app.notFound((c) => answerUnrouted(app, c));
  app.use(identifyRequest, hardenAnswer, refuseForeignOrigin, refuseMeshTraffic, guardBy(app), checkBody);
  addResourceRoutes(app);
  addRevisionRoutes(app);
  addServiceRoutes(app);
  addIdentityRoutes(app);
  addAuthorityRoutes(app);
  addJoinRoutes(app);
  addObserveRoutes(app);
  addExplainRoutes(app);
  addAuthzRoutes(app);
  addSimulateRoutes(app);
  addAccessRoutes(app);
  addDescription(app);
  return app;
}

const app = createApp();

/** Answers every request to the hosts of the admin API. Never rejects. */
export const admin = {
  fetch(request: Request, env: Env, ctx: ExecutionContext): Response | Promise<Response> {
    return app.fetch(request, env, ctx);
  },
};
