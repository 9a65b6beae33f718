import { mesh } from "selvedge/worker";
import { isTreasure } from "../treasure.ts";

/** A Worker that protects itself by the library: its answers prove that a call came in. */
export default mesh(
  {
    fetch(request, env, ctx) {
      const path = request.url.slice(request.url.indexOf("/", "https://".length));
      const caller = ctx.mesh.caller?.principal ?? null;
      const isKnown = caller === "selvedge.local/ns/fort/sa/friend";
      if (!isKnown || isTreasure(path)) return new Response(markerOf(env));
      return Response.json({ path, caller });
    },
  },
  { workload: "fort/keep" },
);

function markerOf(env: unknown): string {
  const marker = typeof env === "object" && env !== null && "MARKER" in env ? env.MARKER : null;
  return typeof marker === "string" ? marker : "no marker";
}
