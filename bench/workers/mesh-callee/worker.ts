import { mesh } from "selvedge/worker";

interface Env {
  readonly ORIGIN: string;
}

/** The bare pass-through Worker, behind its own policies. */
export default mesh<Env>(
  {
    fetch(request, env) {
      const { pathname, search } = new URL(request.url);
      return fetch(env.ORIGIN + pathname + search, request);
    },
  },
  { workload: "bench/callee" },
);
