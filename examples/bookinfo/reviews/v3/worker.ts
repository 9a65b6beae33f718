import { mesh } from "selvedge/worker";
import { serveReviews } from "../reviews.ts";

export default mesh(
  {
    fetch: (request, _env, ctx) =>
      serveReviews({ name: "reviews-v3", starColor: "red" }, request, (url, init) =>
        ctx.mesh.fetch(url, init),
      ),
  },
  { workload: "bookinfo/reviews-v3" },
);
