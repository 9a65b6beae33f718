/** Tells what it was given, and what the Worker behind its binding says. */
export default {
  async fetch(request, env) {
    const back = await env.BACK.fetch(request);
    return Response.json({
      url: request.url,
      vars: [env.GREETING, env.LIMITS, env.ADDED ?? null],
      back: await back.json(),
    });
  },
};
