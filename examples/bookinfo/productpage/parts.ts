/**
 * The parts of the page, each from its service in the mesh.
 *
 * @module
 */
import type { MeshFetch } from "../mesh-fetch.ts";
import type { Reviews } from "../reviews/reviews.ts";

/** A part, or why it is not there. */
export type Part<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly status: number; readonly error: string };

/** What details answers. */
export interface Details {
  readonly author: string;
  readonly year: number;
  readonly type: string;
  readonly pages: number;
  readonly publisher: string;
  readonly language: string;
  readonly "ISBN-10": string;
  readonly "ISBN-13": string;
}

/** The one book there is. */
export const PRODUCTS = [
  {
    id: 0,
    title: "The Comedy of Errors",
    descriptionHtml:
      "Two brothers, both called Antipholus, and two servants, both called Dromio, were parted as children by a " +
      "shipwreck. Now all four are in Ephesus on the same day, and none of them knows it.",
  },
] as const;

type Headers = Readonly<Record<string, string>>;

/** The details of a book. */
export function fetchDetails(meshFetch: MeshFetch, id: string, headers: Headers): Promise<Part<Details>> {
  return fetchPart(meshFetch, `http://details:9080/details/${encodeURIComponent(id)}`, {
    headers,
    sorry: "Sorry, product details are currently unavailable for this book.",
  });
}

/** The reviews of a book. */
export function fetchReviews(meshFetch: MeshFetch, id: string, headers: Headers): Promise<Part<Reviews>> {
  return fetchPart(meshFetch, `http://reviews:9080/reviews/${encodeURIComponent(id)}`, {
    headers,
    sorry: "Sorry, product reviews are currently unavailable for this book.",
  });
}

/** The stars of a book, by reviewer. */
export function fetchRatings(meshFetch: MeshFetch, id: string, headers: Headers): Promise<Part<unknown>> {
  return fetchPart(meshFetch, `http://ratings:9080/ratings/${encodeURIComponent(id)}`, {
    headers,
    sorry: "Sorry, product ratings are currently unavailable for this book.",
  });
}

async function fetchPart<Value>(
  meshFetch: MeshFetch,
  url: string,
  { headers, sorry }: { readonly headers: Headers; readonly sorry: string },
): Promise<Part<Value>> {
  try {
    const response = await meshFetch(url, { headers });
    if (response.ok) return { ok: true, value: await response.json<Value>() };
    await response.body?.cancel();
    return { ok: false, status: response.status, error: sorry };
  } catch {
    // A broken answer is told like a missing one.
    return { ok: false, status: 502, error: sorry };
  }
}
