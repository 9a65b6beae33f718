interface Env {
  readonly ORIGIN: string;
}

/** Passes a request through to the origin, untouched. */
export default {
  fetch(request, env) {
    const { pathname, search } = new URL(request.url);
    return fetch(env.ORIGIN + pathname + search, request);
  },
} satisfies ExportedHandler<Env>;
