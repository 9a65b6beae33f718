import { expect, test } from "vitest";
import { createClient } from "../../cli/client.ts";
import { z } from "zod";
import { simulateAnswer, type Simulation } from "../../shared/wire/simulation.ts";
import { type Ran, cli } from "../cli/cli-kit.ts";
import { type Bookinfo, startBookinfo } from "./bookinfo.ts";
import { until } from "./http-client.ts";

/** Nobody may read ratings any more, and reviews ask for the caller's identity as before. */
const DENY_RATINGS = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: no-ratings, namespace: bookinfo }
spec:
  selector: { matchLabels: { app: ratings } }
  action: DENY
  rules: [{ to: [{ operation: { paths: ["/ratings/*"] } }] }]
`;

/** A policy that nothing of the traffic meets. */
const DENY_NOTHING = DENY_RATINGS.replace("/ratings/*", "/elsewhere").replace("no-ratings", "elsewhere");

const READS_HEADER = DENY_RATINGS.replace("no-ratings", "reads-header").replace(
  "rules: [{",
  'rules: [{ when: [{ key: "request.headers[x-team]", values: [a] }],',
);

/** An isolate reports calls at once, then every ten seconds. */
const TWO_REPORTS_MS = 20_000;

/** Two waits for them, and the rest. */
const LIMIT = { timeout: 60_000 };

type Selvedge = (args: string, input?: string) => Promise<Ran>;

function commandsOf({ runtime }: Bookinfo, token = "end-to-end"): Selvedge {
  const env = { SELVEDGE_SERVER: runtime.url, SELVEDGE_ADMIN_TOKEN: token };
  return (args, input = "") => cli(args.split(" "), { env, input });
}

async function simulated(selvedge: Selvedge, document: string): Promise<Simulation> {
  const { out } = await selvedge("authz simulate -o json -f -", document);
  return simulateAnswer.parse(JSON.parse(out));
}

/** Calls of the example, recorded: whatever its page asks, and one to reviews from nobody. */
async function withCalls(): Promise<{ bookinfo: Bookinfo; selvedge: Selvedge }> {
  const bookinfo = await startBookinfo();
  const selvedge = commandsOf(bookinfo);
  await until(
    async () => {
      await bookinfo.page("/productpage");
      await bookinfo.call("reviews", "/reviews/0", null);
      return simulated(selvedge, DENY_RATINGS);
    },
    ({ flips }) => flips > 0,
    TWO_REPORTS_MS,
  );
  return { bookinfo, selvedge };
}

test(
  "calls that a policy would deny are listed, and an apply that would is refused unless forced",
  LIMIT,
  async () => {
    const { bookinfo, selvedge } = await withCalls();

    const found = await simulated(selvedge, DENY_RATINGS);
    expect(found.items).toEqual([
      {
        caller: "spiffe://selvedge.local/ns/bookinfo/sa/bookinfo-reviews",
        kind: "Service",
        callee: "bookinfo/ratings",
        method: "GET",
        path: "/ratings/0",
        before: { kind: "allowed", by: "bookinfo/ratings[0]", code: null },
        after: { kind: "denied", by: "bookinfo/no-ratings[0]", code: "authz.rule" },
        calls: expect.any(Number),
        lastSeenAt: expect.any(Number),
      },
    ]);
    expect(found).toMatchObject({ flips: 1, unknown: 0, gone: 0, omitted: 0 });
    expect(await simulated(selvedge, DENY_NOTHING)).toMatchObject({ flips: 0, items: [], unknown: 0 });
    expect(await simulated(selvedge, READS_HEADER)).toMatchObject({
      flips: 0,
      unknown: 1,
      unrecorded: ["request.headers[x-team]"],
    });
    expect((await selvedge("authz simulate --max-flips 0 -f -", DENY_RATINGS)).code).toBe(1);
    expect((await selvedge("authz simulate --max-flips 1 -f -", DENY_RATINGS)).code).toBe(0);

    const refused = await selvedge("apply --max-flips 0 -f -", DENY_RATINGS);
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("GET /ratings/0")]);
    expect((await selvedge("get authorizationpolicy no-ratings -n bookinfo")).code).toBe(3);
    expect((await selvedge("apply --max-flips 0 -f -", DENY_NOTHING)).code).toBe(0);

    const forced = await selvedge("apply --max-flips 0 --force -f -", DENY_RATINGS);
    expect([forced.code, forced.err]).toEqual([
      0,
      expect.stringContaining("of the recorded calls 1 would be decided otherwise"),
    ]);
    const back = await selvedge("authz simulate -o json -n bookinfo --delete authorizationpolicy/no-ratings");
    expect(JSON.parse(back.out)).toMatchObject({ flips: 1, items: [{ after: { kind: "allowed" } }] });
    expect((await bookinfo.page("/productpage")).status).toBe(200);
  },
);

test("joined Workers record what they decide themselves", LIMIT, async () => {
  const { bookinfo, selvedge } = await withCalls();
  const document = DENY_RATINGS.replace("app: ratings", "app: details").replace("/ratings/*", "/details/*");

  const found = await until(
    async () => {
      await bookinfo.page("/productpage");
      return simulated(selvedge, document);
    },
    ({ flips }) => flips > 0,
    TWO_REPORTS_MS,
  );

  expect(found.items).toMatchObject([
    {
      caller: "spiffe://selvedge.local/ns/bookinfo/sa/bookinfo-productpage",
      kind: "Endpoint",
      callee: "bookinfo/details-v1",
      path: "/details/0",
      after: { kind: "denied", by: "bookinfo/no-ratings[0]" },
    },
  ]);
});

test("nobody sees calls of namespaces that are not theirs", LIMIT, async () => {
  const { bookinfo } = await withCalls();
  const client = createClient({ server: bookinfo.runtime.url, token: "end-to-end", timeoutMs: 10_000 });
  const viewerOf = async (namespace: string): Promise<Selvedge> => {
    const body = { name: `viewer-${namespace}`, role: "viewer", namespaces: [namespace] };
    const answer = z.object({ token: z.string() });
    const { token } = await client.call({ method: "POST", path: "/access", body, answer });
    return commandsOf(bookinfo, token);
  };

  const own = await simulated(await viewerOf("bookinfo"), DENY_RATINGS);
  expect(own.flips).toBe(1);

  const stranger = await viewerOf("elsewhere");
  expect((await stranger("authz simulate -f -", DENY_RATINGS)).code).toBe(4);
  const theirs = DENY_RATINGS.replace("namespace: bookinfo", "namespace: elsewhere");
  expect(await simulated(stranger, theirs)).toMatchObject({ recorded: 0, replayed: 0, flips: 0, items: [] });
  const named = await stranger("authz simulate -n bookinfo --delete authorizationpolicy/ratings");
  expect(named.code).toBe(4);
});
