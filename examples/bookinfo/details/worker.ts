/**
 * details: what is printed in the front of the book.
 *
 * @module
 */
import { Router } from "itty-router";
import { mesh } from "selvedge/worker";
import { notFound } from "../not-found.ts";

const router = Router()
  .get("/details/:id", ({ params }) => details(params["id"] ?? ""))
  .get("/health", () => Response.json({ status: "Details is healthy" }))
  .all("*", notFound);

function details(id: string): Response {
  if (!/^\d{1,9}$/.test(id)) {
    return Response.json({ error: "please provide numeric product ID" }, { status: 400 });
  }
  return Response.json({
    id: Number(id),
    author: "William Shakespeare",
    year: 1595,
    type: "paperback",
    pages: 200,
    publisher: "Loom & Shuttle",
    language: "English",
    "ISBN-10": "1234567890",
    "ISBN-13": "123-1234567890",
  });
}

export default mesh({ fetch: (request) => router.fetch(request) }, { workload: "bookinfo/details-v1" });
