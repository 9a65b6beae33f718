import { mesh } from "selvedge/worker";
import { serveReviews } from "../reviews.ts";

export default mesh(
  {
    fetch: (request, _env, ctx) =>
      serveReviews({ name: "reviews-v1", starColor: null }, request, (url, init) =>
        ctx.mesh.fetch(url, init),
      ),
  },
  { workload: "bookinfo/reviews-v1" },
);
