/**
 * ratings v1, a Worker: how many stars each reviewer gave.
 *
 * @module
 */
import { Router } from "itty-router";
import { mesh } from "selvedge/worker";
import { notFound } from "../not-found.ts";

const router = Router()
  .get("/ratings/:id", ({ params }) => ratings(params["id"] ?? ""))
  .get("/health", () => Response.json({ status: "Ratings is healthy" }))
  .all("*", notFound);

function ratings(id: string): Response {
  if (!/^\d{1,9}$/.test(id)) {
    return Response.json({ error: "please provide numeric product ID" }, { status: 400 });
  }
  return Response.json(
    { id: Number(id), ratings: { Reviewer1: 5, Reviewer2: 4 } },
    { headers: { "x-served-by": "ratings-v1" } },
  );
}

export default mesh({ fetch: (request) => router.fetch(request) }, { workload: "bookinfo/ratings-v1" });
