interface Env {
  readonly CALLEE: Fetcher;
}

/** Calls the callee over the platform's binding: what the library is compared with. */
export default {
  fetch(request, env) {
    return env.CALLEE.fetch(request);
  },
} satisfies ExportedHandler<Env>;
