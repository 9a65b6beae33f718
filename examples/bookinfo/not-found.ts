/** What every service of the example answers for a path that it does not have. */
export function notFound(): Response {
  return Response.json({ error: "not found" }, { status: 404 });
}
