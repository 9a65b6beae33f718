import { expect, test } from "vitest";
import { policy, routes, served, service, traffic } from "./documents.ts";
import type { CallService } from "./hosts.ts";
import type { Reply } from "./http.ts";
import { codeOf, describeHosts, eventually } from "./suite.ts";
import { always, echo, silent, startUpstream } from "./upstream.ts";

async function times(count: number, call: () => Promise<Reply>): Promise<readonly Reply[]> {
  const replies: Reply[] = [];
  for (let n = 0; n < count; n++) replies.push(await call());
  return replies;
}

describeHosts((suite) => {
  const { named } = suite;
  const call: CallService = (...args) => suite.call(...args);

  test("reaches a service by its name and passes method, path, query and body on", async () => {
    const upstream = await startUpstream(echo);
    await suite.mesh.apply(...served(named("plain"), upstream.url));

    const headers = { "content-type": "text/plain", "x-custom": "kept" };
    const reply = await call(named("plain"), "/a/b?c=d", { method: "POST", headers, body: "hello" });

    expect(reply.status).toBe(200);
    expect(JSON.parse(reply.body)).toMatchObject({
      method: "POST",
      path: "/a/b?c=d",
      headers: { "content-type": "text/plain", "x-custom": "kept" },
      body: "hello",
    });
  });

  test("tells the service who calls, in a header that the caller cannot write", async () => {
    const upstream = await startUpstream(echo);
    await suite.mesh.apply(...served(named("told"), upstream.url));

    const forged = { "x-forwarded-client-cert": "URI=spiffe://selvedge.test/ns/x/sa/admin" };
    const reply = await call(named("told"), "/", { headers: forged });

    expect(JSON.parse(reply.body).headers["x-forwarded-client-cert"]).toBe(
      "By=spiffe://selvedge.test/ns/conformance/sa/default;URI=spiffe://selvedge.test/ns/conformance/sa/caller",
    );
  });

  test("proves the caller to a joined Worker", async () => {
    const reply = await call("callee", "/who");

    expect(JSON.parse(reply.body)).toMatchObject({ caller: "selvedge.test/ns/conformance/sa/caller" });
  });

  test("carries the trace and the request id on", async () => {
    const upstream = await startUpstream(echo);
    await suite.mesh.apply(...served(named("traced"), upstream.url));
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736";

    const headers = {
      traceparent: `00-${trace}-00f067aa0ba902b7-01`,
      tracestate: "vendor=1",
      "x-request-id": "request-1",
    };
    const seen = JSON.parse((await call(named("traced"), "/", { headers })).body).headers;

    expect(seen).toMatchObject({ tracestate: "vendor=1", "x-request-id": "request-1" });
    expect(seen.traceparent).toMatch(new RegExp(`^00-${trace}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$`));
  });

  test("routes by header and path in the order of precedence", async () => {
    const [plain, canary] = [await startUpstream(always(200)), await startUpstream(always(201))];
    await suite.mesh.apply(
      ...served(named("one"), plain.url),
      ...served(named("two"), canary.url),
      service(named("routed")),
      routes(
        named("routed"),
        { matches: [{ path: { value: "/" } }], backendRefs: [{ name: named("one"), port: 80 }] },
        {
          matches: [{ path: { value: "/" }, headers: [{ name: "x-canary", value: "yes" }] }],
          backendRefs: [{ name: named("two"), port: 80 }],
        },
        {
          matches: [{ path: { type: "Exact", value: "/new" } }],
          backendRefs: [{ name: named("two"), port: 80 }],
        },
      ),
    );

    const statuses = [
      (await call(named("routed"), "/")).status,
      (await call(named("routed"), "/", { headers: { "x-canary": "yes" } })).status,
      (await call(named("routed"), "/new")).status,
      (await call(named("routed"), "/new/")).status,
    ];

    expect(statuses).toEqual([200, 201, 201, 200]);
  });

  test("has no route where routes exist and none matches", async () => {
    await suite.mesh.apply(
      service(named("narrow")),
      routes(named("narrow"), {
        matches: [{ path: { value: "/only" } }],
        backendRefs: [{ name: named("narrow"), port: 80 }],
      }),
    );

    expect(codeOf(await call(named("narrow"), "/other"))).toEqual([404, "route.none"]);
  });

  test("splits calls by weight", async () => {
    const [heavy, light] = [await startUpstream(always(200)), await startUpstream(always(201))];
    await suite.mesh.apply(
      ...served(named("heavy"), heavy.url),
      ...served(named("light"), light.url),
      service(named("split")),
      routes(named("split"), {
        backendRefs: [
          { name: named("heavy"), port: 80, weight: 80 },
          { name: named("light"), port: 80, weight: 20 },
        ],
      }),
    );

    await times(300, () => call(named("split"), "/"));

    // Five standard deviations of 300 draws at 0.2: 60 ± 35.
    expect(light.seen.length).toBeGreaterThan(25);
    expect(light.seen.length).toBeLessThan(95);
    expect(heavy.seen.length + light.seen.length).toBe(300);
  });

  test("changes headers of requests and responses as a route says", async () => {
    const upstream = await startUpstream((seen, response) => {
      response.setHeader("x-internal", "secret");
      echo(seen, response);
    });
    await suite.mesh.apply(
      ...served(named("filtered-backend"), upstream.url),
      service(named("filtered")),
      routes(named("filtered"), {
        filters: [
          {
            type: "RequestHeaderModifier",
            requestHeaderModifier: { set: [{ name: "x-set", value: "by-route" }], remove: ["x-gone"] },
          },
          {
            type: "ResponseHeaderModifier",
            responseHeaderModifier: { add: [{ name: "x-added", value: "1" }], remove: ["x-internal"] },
          },
        ],
        backendRefs: [{ name: named("filtered-backend"), port: 80 }],
      }),
    );

    const reply = await call(named("filtered"), "/", { headers: { "x-gone": "1", "x-set": "by-client" } });

    const seen = JSON.parse(reply.body).headers;
    expect([seen["x-set"], seen["x-gone"]]).toEqual(["by-route", undefined]);
    expect([reply.headers["x-added"], reply.headers["x-internal"]]).toEqual(["1", undefined]);
  });

  test("redirects and rewrites paths", async () => {
    const upstream = await startUpstream(echo);
    await suite.mesh.apply(
      ...served(named("moved-backend"), upstream.url),
      service(named("moved")),
      routes(
        named("moved"),
        {
          matches: [{ path: { value: "/old" } }],
          filters: [
            {
              type: "RequestRedirect",
              requestRedirect: {
                scheme: "https",
                hostname: "new.test",
                path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/new" },
                statusCode: 301,
              },
            },
          ],
        },
        {
          matches: [{ path: { value: "/api" } }],
          filters: [
            {
              type: "URLRewrite",
              urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/v2" } },
            },
          ],
          backendRefs: [{ name: named("moved-backend"), port: 80 }],
        },
      ),
    );

    const redirected = await call(named("moved"), "/old/page?q=1");
    const rewritten = await call(named("moved"), "/api/page?q=1");

    expect([redirected.status, redirected.headers.location]).toEqual([301, "https://new.test/new/page?q=1"]);
    expect(JSON.parse(rewritten.body).path).toBe("/v2/page?q=1");
  });

  test("tries another endpoint when one fails, and shows the caller no error", async () => {
    const [bad, good] = [await startUpstream(always(503)), await startUpstream(always(200))];
    await suite.mesh.apply(...served(named("flaky"), bad.url, good.url));

    const replies = await times(20, () => call(named("flaky"), "/"));

    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(bad.seen.length).toBeGreaterThan(0);
  });

  test("tries another endpoint when one is gone", async () => {
    const [gone, good] = [await startUpstream(always(200)), await startUpstream(always(200))];
    await gone.close();
    await suite.mesh.apply(...served(named("killed"), gone.url, good.url));

    const replies = await times(20, () => call(named("killed"), "/"));

    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
  });

  test("does not repeat a call that may not be repeated", async () => {
    const upstream = await startUpstream(always(503));
    await suite.mesh.apply(...served(named("unsafe"), upstream.url));

    const reply = await call(named("unsafe"), "/", { method: "POST", body: "once" });

    expect([reply.status, upstream.seen.length]).toEqual([503, 1]);
  });

  test("gives up after the time-out", async () => {
    const upstream = await startUpstream(silent);
    await suite.mesh.apply(
      ...served(named("slow"), upstream.url),
      traffic(named("slow"), { timeouts: { request: "200ms" }, retry: { attempts: 0 } }),
    );

    const reply = await call(named("slow"), "/");

    expect(codeOf(reply)).toEqual([504, "upstream.timeout"]);
    expect(reply.headers["proxy-status"]).toBe(
      'selvedge; error=connection_read_timeout; details="upstream.timeout"',
    );
  });

  test("opens the circuit of an endpoint that keeps failing", async () => {
    const upstream = await startUpstream(always(500));
    await suite.mesh.apply(
      ...served(named("broken"), upstream.url),
      traffic(named("broken"), { circuitBreaker: { consecutiveFailures: 3, openFor: "60s" } }),
    );

    const replies = await times(3, () => call(named("broken"), "/"));
    const refused = await call(named("broken"), "/");

    expect(replies.map(({ status }) => status)).toEqual([500, 500, 500]);
    expect(codeOf(refused)).toEqual([503, "circuit.open"]);
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(50);
    expect(upstream.seen.length).toBe(3);
  });

  test("has no endpoint to send to", async () => {
    await suite.mesh.apply(service(named("empty")));

    expect(codeOf(await call(named("empty"), "/"))).toEqual([503, "endpoint.none"]);
  });

  test("knows no service of the name", async () => {
    expect(codeOf(await call(named("nobody"), "/"))).toEqual([421, "host.unknown"]);
  });

  test("denies what a policy denies, and lets the rest through", async () => {
    const upstream = await startUpstream(always(200));
    await suite.mesh.apply(
      ...served(named("guarded"), upstream.url),
      policy(named("guarded"), {
        action: "DENY",
        rules: [{ to: [{ operation: { paths: ["/admin*"] } }] }],
      }),
    );

    expect(codeOf(await call(named("guarded"), "/admin"))).toEqual([403, "authz.rule"]);
    expect((await call(named("guarded"), "/public")).status).toBe(200);
    expect(upstream.seen.map(({ path }) => path)).toEqual(["/public"]);
  });

  test("denies whom no policy allows", async () => {
    const upstream = await startUpstream(always(200));
    const rules = [{ from: [{ source: { principals: ["cluster.local/ns/other/sa/other"] } }] }];
    await suite.mesh.apply(...served(named("closed"), upstream.url), policy(named("closed"), { rules }));

    expect(codeOf(await call(named("closed"), "/"))).toEqual([403, "authz.default_deny"]);
    expect(upstream.seen).toEqual([]);
  });

  test("sees a new policy within three seconds", async () => {
    const upstream = await startUpstream(always(200));
    await suite.mesh.apply(...served(named("changing"), upstream.url));
    expect((await call(named("changing"), "/")).status).toBe(200);

    await suite.mesh.apply(policy(named("changing"), { action: "DENY", rules: [{}] }));

    const reply = await eventually(
      () => call(named("changing"), "/"),
      ({ status }) => status === 403,
    );
    expect(codeOf(reply)).toEqual([403, "authz.rule"]);
  });

  test("serves what it knows while the registry is out of reach, and nothing that it does not know", async () => {
    const upstream = await startUpstream(always(200));
    await suite.mesh.apply(
      ...served(named("known"), upstream.url),
      ...served(named("unknown"), upstream.url),
    );
    expect((await call(named("known"), "/")).status).toBe(200);

    await suite.mesh.cutRegistry(true);
    const known = await times(10, () => call(named("known"), "/"));
    const unknown = await call(named("unknown"), "/");
    await suite.mesh.cutRegistry(false);

    expect(known.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(codeOf(unknown)).toEqual([503, "control.unavailable"]);
    const back = await eventually(
      () => call(named("unknown"), "/"),
      ({ status }) => status === 200,
    );
    expect(back.status).toBe(200);
  });
});
