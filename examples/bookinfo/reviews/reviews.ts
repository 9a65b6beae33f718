/**
 * reviews, in three versions of one code base: v1 shows no stars, v2 black
 * ones, v3 red ones. Stars come from ratings; without them the reviews stay.
 *
 * @module
 */
import { Router } from "itty-router";
import type { MeshFetch } from "../mesh-fetch.ts";
import { notFound } from "../not-found.ts";

/** One version: its name, and the color of its stars, if it has any. */
export interface ReviewsVersion {
  readonly name: "reviews-v1" | "reviews-v2" | "reviews-v3";
  readonly starColor: "black" | "red" | null;
}

/** A review as it is answered; `rating` is absent in v1. */
export interface Review {
  readonly reviewer: string;
  readonly text: string;
  readonly rating?: Rating;
}

export type Rating = { readonly stars: number; readonly color: "black" | "red" } | { readonly error: string };

/** What `/reviews/{id}` answers. */
export interface Reviews {
  readonly id: string;
  /** Which version answered. */
  readonly podname: string;
  readonly clustername: string;
  /** Which version of ratings gave the stars, if one did. */
  readonly ratedBy: string | null;
  readonly reviews: readonly Review[];
}

const TEXTS = [
  {
    reviewer: "Reviewer1",
    text: "Two pairs of twins, one town, and nobody asks the obvious question. I laughed until the abbess came in.",
  },
  {
    reviewer: "Reviewer2",
    text: "As quick and neat as clockwork. Do not look for depth between the wheels; there is hardly room.",
  },
] as const;

const UNAVAILABLE: Rating = { error: "Ratings service is currently unavailable" };

/** Answers a request as one version would. `meshFetch` calls other services for this request. */
export function serveReviews(
  version: ReviewsVersion,
  request: Request,
  meshFetch: MeshFetch,
): Promise<Response> {
  return Router()
    .get("/reviews/:id", ({ params }) => reviews(version, params["id"] ?? "", request, meshFetch))
    .get("/health", () => Response.json({ status: "Reviews is healthy" }))
    .all("*", notFound)
    .fetch(request);
}

async function reviews(
  version: ReviewsVersion,
  id: string,
  request: Request,
  meshFetch: MeshFetch,
): Promise<Response> {
  if (!/^\d{1,9}$/.test(id)) {
    return Response.json({ error: "please provide numeric product ID" }, { status: 400 });
  }
  const { starColor } = version;
  const rated = starColor === null ? null : await ratings(id, request, meshFetch);
  const answer: Reviews = {
    id,
    podname: version.name,
    clustername: "selvedge",
    ratedBy: rated?.servedBy ?? null,
    reviews: TEXTS.map(({ reviewer, text }) => {
      if (starColor === null) return { reviewer, text };
      const stars = rated?.stars[reviewer];
      return { reviewer, text, rating: stars === undefined ? UNAVAILABLE : { stars, color: starColor } };
    }),
  };
  return Response.json(answer);
}

interface Rated {
  readonly servedBy: string | null;
  readonly stars: Readonly<Record<string, number>>;
}

/** The stars by reviewer; null when ratings cannot be had, whatever the reason. */
async function ratings(id: string, request: Request, meshFetch: MeshFetch): Promise<Rated | null> {
  const endUser = request.headers.get("end-user");
  const headers: Record<string, string> = endUser === null ? {} : { "end-user": endUser };
  try {
    const response = await meshFetch(`http://ratings:9080/ratings/${id}`, { headers });
    if (!response.ok) return null;
    const { ratings } = await response.json<{ ratings: Record<string, number> }>();
    return { servedBy: response.headers.get("x-served-by"), stars: ratings };
  } catch {
    // A review without stars is better than no review.
    return null;
  }
}
