/**
 * productpage: the page of a book, put together from details and reviews. A
 * part that cannot be had leaves a note in its place, never an error page.
 *
 * @module
 */
import { type IRequest, Router } from "itty-router";
import { type MeshContext, mesh } from "selvedge/worker";
import { notFound } from "../not-found.ts";
import { fetchDetails, fetchRatings, fetchReviews, PRODUCTS, type Part } from "./parts.ts";
import { homePage, productPage } from "./page.ts";
import { endUserHeader, login, logout, userOf } from "./session.ts";
import { ICON, STYLE } from "./static.ts";

type Context = Pick<MeshContext, "mesh">;

const router = Router<IRequest, [Context], Response>()
  .get("/", () => html(homePage()))
  .get("/productpage", (request, ctx) => page(request, ctx))
  .get("/static/bookinfo.css", () => asset(STYLE, "text/css; charset=utf-8"))
  .get("/static/icon.svg", () => asset(ICON, "image/svg+xml"))
  .post("/login", (request) => login(request))
  .get("/logout", () => logout())
  .get("/api/v1/products", () => Response.json(PRODUCTS))
  .get("/api/v1/products/:id", async (request, ctx) => relay(await fetchDetails(...callOf(request, ctx))))
  .get("/api/v1/products/:id/reviews", async (request, ctx) =>
    relay(await fetchReviews(...callOf(request, ctx))),
  )
  .get("/api/v1/products/:id/ratings", async (request, ctx) =>
    relay(await fetchRatings(...callOf(request, ctx))),
  )
  .get("/health", () => Response.json({ status: "Product page is healthy" }))
  .all("*", notFound);

async function page(request: Request, { mesh }: Context): Promise<Response> {
  const user = userOf(request);
  const headers = endUserHeader(user);
  const [details, reviews] = await Promise.all([
    fetchDetails(mesh.fetch, "0", headers),
    fetchReviews(mesh.fetch, "0", headers),
  ]);
  const passage = {
    caller: mesh.caller?.principal ?? null,
    requestId: request.headers.get("x-request-id"),
    traceparent: request.headers.get("traceparent"),
  };
  return html(productPage({ user, details, reviews, passage }));
}

function callOf(request: IRequest, { mesh }: Context): Parameters<typeof fetchDetails> {
  return [mesh.fetch, request.params["id"] ?? "", endUserHeader(userOf(request))];
}

/** A part as JSON, with the status of the service that should have given it. */
function relay(part: Part<unknown>): Response {
  return part.ok ? Response.json(part.value) : Response.json({ error: part.error }, { status: part.status });
}

function html(body: string): Response {
  return new Response(body, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy":
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
      "referrer-policy": "same-origin",
      "x-content-type-options": "nosniff",
    },
  });
}

function asset(body: string, type: string): Response {
  return new Response(body, {
    headers: { "content-type": type, "cache-control": "max-age=60", "x-content-type-options": "nosniff" },
  });
}

export default mesh(
  { fetch: (request, _env, ctx) => router.fetch(request, ctx) },
  { workload: "bookinfo/productpage-v1" },
);
