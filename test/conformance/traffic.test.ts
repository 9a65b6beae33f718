/** What routes and traffic policies do to calls, through both hosts. */
import { expect, test } from "vitest";
import { endpoint, gateway, gatewayRoutes, routes, served, service, traffic } from "./documents.ts";
import type { Document } from "./documents.ts";
import { ask } from "./http.ts";
import { codeOf, describeHosts, eventually } from "./suite.ts";
import { always, echo, silent, startUpstream } from "./upstream.ts";
import type { Behavior } from "./upstream.ts";

function document(type: string, name: string, spec: unknown): Document {
  const [apiVersion = "", kind = ""] = type.split(" ");
  return { apiVersion, kind, metadata: { name }, spec };
}

const faultAt = (kind: "Service" | "HTTPRoute", name: string, spec: object): Document => {
  const group = kind === "Service" ? "" : "gateway.networking.k8s.io";
  return document("selvedge.dev/v1 FaultPolicy", name, { targetRefs: [{ group, kind, name }], ...spec });
};

/** Answers with its name. */
const named =
  (name: string): Behavior =>
  (_seen, response) =>
    void response.end(name);

describeHosts((suite) => {
  const { named: of } = suite;

  test("mirrors a call with its body, marked, whatever the mirror answers", async () => {
    const [main, shadow] = [await startUpstream(echo), await startUpstream(always(500))];
    const backendRef = { name: of("shadow"), port: 80 };
    await suite.mesh.apply(
      ...served(of("mirrored-main"), main.url),
      ...served(of("shadow"), shadow.url),
      service(of("mirrored")),
      routes(of("mirrored"), {
        filters: [{ type: "RequestMirror", requestMirror: { backendRef } }],
        backendRefs: [{ name: of("mirrored-main"), port: 80 }],
      }),
    );

    const reply = await suite.call(of("mirrored"), "/a", {
      method: "POST",
      body: "hello",
      headers: { "content-length": "5" },
    });
    await eventually(
      () => shadow.seen.length,
      (count) => count > 0,
    );

    expect([reply.status, JSON.parse(reply.body).headers["x-selvedge-mirrored"]]).toEqual([200, undefined]);
    expect(shadow.seen.map(({ method, path, body }) => [method, path, body])).toEqual([
      ["POST", "/a", "hello"],
    ]);
    expect(shadow.seen[0]?.headers["x-selvedge-mirrored"]).toBe("1");
  });

  test("answers preflights and lets allowed origins read answers", async () => {
    const upstream = await startUpstream(echo);
    await suite.mesh.apply(
      ...served(of("cors-main"), upstream.url),
      service(of("cors")),
      routes(of("cors"), {
        filters: [{ type: "CORS", cors: { allowOrigins: ["https://app.test"], allowMethods: ["PUT"] } }],
        backendRefs: [{ name: of("cors-main"), port: 80 }],
      }),
    );
    const origin = "https://app.test";
    const method = { "access-control-request-method": "PUT" };

    const preflight = await suite.call(of("cors"), "/", {
      method: "OPTIONS",
      headers: { origin, ...method },
    });
    const actual = await suite.call(of("cors"), "/", { headers: { origin } });
    const other = await suite.call(of("cors"), "/", { headers: { origin: "https://evil.test" } });

    const allowed = [preflight, actual, other].map(({ headers }) => headers["access-control-allow-origin"]);
    expect(allowed).toEqual([origin, origin, undefined]);
    expect([preflight.status, upstream.seen.length]).toEqual([204, 2]);
  });

  test("redirects for one backend only, and answers itself where a route says so", async () => {
    const upstream = await startUpstream(echo);
    const filters = [
      { type: "RequestRedirect", requestRedirect: { hostname: "else.test", statusCode: 302 } },
    ];
    await suite.mesh.apply(
      ...served(of("moved-main"), upstream.url),
      service(of("moved")),
      routes(of("moved"), { backendRefs: [{ name: of("moved-main"), port: 80, filters }] }),
      service(of("fixed")),
      document("networking.istio.io/v1 VirtualService", of("fixed"), {
        hosts: [of("fixed")],
        gateways: ["mesh"],
        http: [{ directResponse: { status: 410, body: { string: "gone" } } }],
      }),
    );

    const moved = await suite.call(of("moved"), "/a?b=c");
    const fixed = await suite.call(of("fixed"), "/");

    expect([moved.status, moved.headers.location]).toEqual([302, "http://else.test/a?b=c"]);
    expect([fixed.status, fixed.body]).toEqual([410, "gone"]);
  });

  test("injects faults at a service until they expire, for whom they are meant", async () => {
    const upstream = await startUpstream(echo);
    const fault = {
      match: { headers: [{ name: "x-tester", value: "yes" }] },
      abort: { httpStatus: 418, percentage: 100 },
    };
    await suite.mesh.apply(
      ...served(of("faulty"), upstream.url),
      faultAt("Service", of("faulty"), { expiresAfter: "1h", faults: [fault] }),
      ...served(of("recovered"), upstream.url),
      faultAt("Service", of("recovered"), { expiresAt: "2026-01-01T00:00:00Z", faults: [fault] }),
    );
    const tester = { headers: { "x-tester": "yes" } };

    const aborted = await suite.call(of("faulty"), "/", tester);
    const others = await suite.call(of("faulty"), "/");
    const recovered = await suite.call(of("recovered"), "/", tester);

    expect(codeOf(aborted)).toEqual([418, "fault.abort"]);
    expect(aborted.headers["proxy-status"]).toContain('details="fault.abort"');
    expect([others.status, recovered.status]).toEqual([200, 200]);
  });

  test("injects delays and gRPC statuses on a route", async () => {
    const upstream = await startUpstream(echo);
    const delay = { fixed: "300ms", percentage: 100 };
    const abort = { grpcStatus: "UNAVAILABLE", percentage: 100 };
    await suite.mesh.apply(
      ...served(of("late-main"), upstream.url),
      service(of("late")),
      routes(of("late"), { backendRefs: [{ name: of("late-main"), port: 80 }] }),
      faultAt("HTTPRoute", of("late"), { expiresAfter: "1h", faults: [{ delay, abort }] }),
    );

    const startedAt = performance.now();
    const reply = await suite.call(of("late"), "/");

    expect(performance.now() - startedAt).toBeGreaterThan(280);
    expect([reply.status, reply.headers["grpc-status"], upstream.seen.length]).toEqual([200, "14", 0]);
  });

  test("tells the callee a call's priority: the route's, else the one it inherits from within the mesh", async () => {
    const upstream = await startUpstream(echo);
    const [named, plain] = [of("prioritized"), of("inheriting")];
    const targetRefs = [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", name: named }];
    await suite.mesh.apply(
      ...served(named, upstream.url),
      ...served(plain, upstream.url),
      routes(named, { backendRefs: [{ name: named, port: 80 }] }),
      document("selvedge.dev/v1 TrafficPolicy", named, { targetRefs, priority: "High" }),
    );
    const priorityAt = async (name: string): Promise<unknown> => {
      const reply = await suite.call(name, "/", { headers: { "x-selvedge-priority": "low" } });
      return JSON.parse(reply.body).headers["x-selvedge-priority"];
    };

    const inherited = { edge: undefined, library: "low" }[suite.host];
    expect([await priorityAt(named), await priorityAt(plain)]).toEqual(["high", inherited]);
  });

  test("splits stickily by a key", async () => {
    const [one, two] = [await startUpstream(named("one")), await startUpstream(named("two"))];
    const targetRefs = [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", name: of("sticky") }];
    await suite.mesh.apply(
      ...served(of("sticky-one"), one.url),
      ...served(of("sticky-two"), two.url),
      service(of("sticky")),
      routes(of("sticky"), {
        backendRefs: [
          { name: of("sticky-one"), port: 80 },
          { name: of("sticky-two"), port: 80 },
        ],
      }),
      document("selvedge.dev/v1 TrafficPolicy", of("sticky"), {
        targetRefs,
        split: { stickyBy: { type: "Header", name: "x-user" } },
      }),
    );
    const round = async (): Promise<readonly string[]> => {
      const seen: string[] = [];
      for (let user = 0; user < 12; user++)
        seen.push((await suite.call(of("sticky"), "/", { headers: { "x-user": `user-${user}` } })).body);
      return seen;
    };

    const first = await round();

    expect(await round()).toEqual(first);
    expect(new Set(first)).toEqual(new Set(["one", "two"]));
  });

  test("keeps a session at its endpoint, and hashes keys to endpoints", async () => {
    const [one, two] = [await startUpstream(named("one")), await startUpstream(named("two"))];
    await suite.mesh.apply(
      ...served(of("session"), one.url, two.url),
      traffic(of("session"), { sessionPersistence: { sessionName: "s", type: "Cookie" } }),
      ...served(of("hashed"), one.url, two.url),
      traffic(of("hashed"), {
        loadBalancer: { type: "Maglev", hashKey: [{ type: "Header", name: "x-user" }] },
      }),
    );

    const begun = await suite.call(of("session"), "/");
    const cookie = String(begun.headers["set-cookie"]).split(";")[0] ?? "";
    const later: unknown[] = [];
    for (let call = 0; call < 8; call++) {
      const { body, headers } = await suite.call(of("session"), "/", { headers: { cookie } });
      later.push([body, headers["set-cookie"]]);
    }
    const hashed = new Map<string, Set<string>>();
    for (let call = 0; call < 32; call++) {
      const user = `user-${call % 8}`;
      const { body } = await suite.call(of("hashed"), "/", { headers: { "x-user": user } });
      hashed.set(user, (hashed.get(user) ?? new Set()).add(body));
    }

    expect(later).toEqual(later.map(() => [begun.body, undefined]));
    expect([...hashed.values()].map(({ size }) => size)).toEqual([...hashed.values()].map(() => 1));
    expect(new Set([...hashed.values()].flatMap((bodies) => [...bodies]))).toEqual(new Set(["one", "two"]));
  });

  test("sends to a subset, by the subset's own policy", async () => {
    const [one, two] = [await startUpstream(named("one")), await startUpstream(silent)];
    const name = of("versions");
    const versioned = (version: string, address: string): Document => {
      const { metadata, ...rest } = endpoint(`${name}-${version}`, name, { address });
      return { ...rest, metadata: { ...metadata, labels: { app: name, version } } };
    };
    const when = (version: string, subset: string): object => ({
      matches: [{ headers: [{ name: "x-version", value: version }] }],
      backendRefs: [{ name, port: 80, subset }],
    });
    await suite.mesh.apply(
      service(name),
      versioned("v1", one.url),
      versioned("v2", two.url),
      routes(name, when("v1", "v1"), when("v2", "v2")),
      traffic(name, {
        subsets: [
          { name: "v1", labels: { version: "v1" } },
          { name: "v2", labels: { version: "v2" }, timeouts: { request: "200ms" } },
        ],
      }),
    );

    const replies = [];
    for (let call = 0; call < 4; call++)
      replies.push((await suite.call(name, "/", { headers: { "x-version": "v1" } })).body);
    const late = await suite.call(name, "/", { headers: { "x-version": "v2" } });

    expect(replies).toEqual(["one", "one", "one", "one"]);
    expect(codeOf(late)).toEqual([504, "upstream.timeout"]);
  });

  test("tells the next hop what time is left, and does not start what has none", async () => {
    const upstream = await startUpstream(echo);
    await suite.mesh.apply(
      ...served(of("limited"), upstream.url),
      traffic(of("limited"), { timeouts: { request: "4s" } }),
    );
    const left = async (given: string): Promise<number> => {
      const headers = { "x-selvedge-deadline-ms": given };
      return Number(
        JSON.parse((await suite.call(of("limited"), "/", { headers })).body).headers[
          "x-selvedge-deadline-ms"
        ],
      );
    };

    const [shorter, longer] = [await left("2000"), await left("9000")];
    const over = await suite.call(of("limited"), "/", { headers: { "x-selvedge-deadline-ms": "0" } });

    expect([shorter > 1_000 && shorter <= 2_000, longer > 3_000 && longer <= 4_000]).toEqual([true, true]);
    expect([codeOf(over), upstream.seen.length]).toEqual([[504, "upstream.timeout"], 2]);
  });

  test("hedges a call whose answer is late, and ends the late try", async () => {
    let ended = 0;
    const slow: Behavior = (_seen, response) => void response.on("close", () => (ended += 1));
    const [one, two] = [await startUpstream(slow), await startUpstream(named("two"))];
    await suite.mesh.apply(
      ...served(of("hedged"), one.url, two.url),
      traffic(of("hedged"), { hedging: { after: "100ms" }, loadBalancer: { type: "RoundRobin" } }),
    );

    const replies = [];
    for (let call = 0; call < 4; call++) replies.push((await suite.call(of("hedged"), "/")).body);
    await eventually(
      () => ended,
      (count) => count >= one.seen.length,
    );

    expect(replies).toEqual(["two", "two", "two", "two"]);
    expect([one.seen.length > 0, ended]).toEqual([true, one.seen.length]);
  });

  test.each([8, 16, 32])(
    "loses no call of %i callers when one of two endpoints is killed",
    async (callers) => {
      const [gone, good] = [await startUpstream(always(200)), await startUpstream(always(200))];
      const name = of(`halved-${callers}`);
      await suite.mesh.apply(...served(name, gone.url, good.url));
      const statuses: number[] = [];
      let closing: Promise<void> | null = null;
      const caller = async (): Promise<void> => {
        for (let call = 0; call < 400 / callers; call++) {
          statuses.push((await suite.call(name, "/")).status);
          if (statuses.length >= 100) closing ??= gone.close();
        }
      };

      await Promise.all(Array.from({ length: callers }, caller));
      await closing;

      expect(statuses.filter((status) => status !== 200)).toEqual([]);
      expect([statuses.length >= 400, gone.seen.length > 20, good.seen.length > 250]).toEqual([
        true,
        true,
        true,
      ]);
    },
  );

  test("an outage sees at most a quarter more calls than there are", async () => {
    const upstream = await startUpstream(always(503));
    await suite.mesh.apply(...served(of("out"), upstream.url));
    const caller = async (): Promise<void> => {
      for (let call = 0; call < 50; call++) await suite.call(of("out"), "/");
    };

    await Promise.all(Array.from({ length: 8 }, caller));

    expect(upstream.seen.length).toBeGreaterThan(400);
    expect(upstream.seen.length).toBeLessThanOrEqual(500);
  });

  // Gateways are the edge's: the library calls services by their names only.
  test.runIf(suite.host === "edge")("reads paths as a gateway's policy says", async () => {
    const upstream = await startUpstream(echo);
    const targetRefs = [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "lax" }];
    await suite.mesh.apply(
      ...served("lax-main", upstream.url),
      gateway("lax", "lax.test"),
      gatewayRoutes("lax", { backendRefs: [{ name: "lax-main", port: 80 }] }),
      document("selvedge.dev/v1 TrafficPolicy", "lax", {
        targetRefs,
        pathNormalization: "DecodeAndMergeSlashes",
      }),
    );

    const seen = await eventually(
      () => ask(suite.mesh.runtime.port, "/a%2F%2fb/../c", { headers: { host: "lax.test" } }),
      ({ status }) => status === 200,
    );

    expect(JSON.parse(seen.body).path).toBe("/a/c");
  });

  test("matches regular expressions", async () => {
    const upstream = await startUpstream(echo);
    await suite.mesh.apply(
      ...served(of("pattern-main"), upstream.url),
      service(of("pattern")),
      routes(of("pattern"), {
        matches: [{ path: { type: "RegularExpression", value: "/items/[0-9]+" } }],
        backendRefs: [{ name: of("pattern-main"), port: 80 }],
      }),
    );

    const statuses = [
      (await suite.call(of("pattern"), "/items/12")).status,
      (await suite.call(of("pattern"), "/items/x")).status,
    ];

    expect(statuses).toEqual([200, 404]);
  });
});
