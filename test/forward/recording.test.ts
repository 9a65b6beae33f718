import { describe, expect, test } from "vitest";
import type { Condition } from "../../shared/engine/access-condition.ts";
import type { InboundPolicy } from "../../shared/engine/snapshot.ts";
import { carry } from "../../shared/forward/carry.ts";
import { isCredential } from "../../shared/forward/recording.ts";
import type { CallSample } from "../../shared/wire/recorded-call.ts";
import { endpoint } from "../engine/endpoints.ts";
import { get as calling, ok, reception, setUp } from "../fakes/loop.ts";
import { PERMISSIVE, service } from "../fakes/units.ts";

function get(fields: Readonly<Record<string, string>> = {}): Request {
  return new Request(calling("/reviews/1?secret=x"), { headers: fields });
}

function reading(...when: readonly Condition[]): InboundPolicy {
  const rule = { policy: "shop/reads", rule: 0, from: [], to: [{ paths: [] }], when };
  return { ...PERMISSIVE, authorization: { deny: [rule], allow: null } };
}

function recordingWith(policy: InboundPolicy, recordsCalls = true) {
  // Of two endpoints with the same policies the first stands for both.
  const endpoints = [endpoint("b"), endpoint("c")];
  const unit = service("reviews", { endpoints, inbound: [policy] });
  return setUp(unit, [ok, ok, ok, ok], { recordsCalls });
}

/** What is reported of one call. */
async function recorded(policy: InboundPolicy, request = get()): Promise<readonly CallSample[]> {
  const { kit } = recordingWith(policy);
  await kit.run(carry(kit.mesh, request, reception()));
  await kit.advance(30_000);
  return kit.calls.reports.flatMap(({ calls = [] }) => calls);
}

test("calls to many endpoints with the same policies are one", async () => {
  const { kit, sent } = recordingWith(PERMISSIVE);
  for (let n = 0; n < 4; n++) await kit.run(carry(kit.mesh, get(), reception()));
  await kit.advance(30_000);

  expect(new Set(sent.map(({ line }) => line.slice(0, 1))).size).toBe(2);
  expect(kit.calls.reports.flatMap(({ calls = [] }) => calls)).toMatchObject([
    { call: { endpoint: "b" }, calls: 4 },
  ]);
});

const TEAM: Condition = { kind: "header", name: "x-team", values: [] };

describe("a recorded call", () => {
  test("has what every policy may read, and nothing more", async () => {
    const [sample] = await recorded(PERMISSIVE, get({ "x-team": "a", authorization: "Basic secret" }));
    expect(sample).toEqual({
      call: {
        unit: "service:shop/reviews",
        endpoint: "b",
        caller: "mesh.test/ns/shop/sa/web",
        host: "reviews",
        port: 80,
        method: "GET",
        path: "/reviews/1",
        headers: {},
      },
      isAdmitted: true,
      calls: 1,
    });
  });

  test.each<[string, readonly Condition[], Record<string, string>, object]>([
    ["a field that a policy reads", [TEAM], { "x-team": "a" }, { headers: { "x-team": "a" } }],
    ["that it was not there", [TEAM], {}, { headers: { "x-team": null } }],
    ["no value that is too long", [TEAM], { "x-team": "a".repeat(257) }, { headers: {} }],
    ["no credential", [{ ...TEAM, name: "x-api-key" }], { "x-api-key": "a" }, { headers: {} }],
    [
      "addresses, where a policy reads them",
      [{ kind: "remote-address", values: [] }],
      {},
      { addresses: { source: null, remote: null } },
    ],
  ])("has %s", async (_name, when, fields, expected) => {
    const calls = (await recorded(reading(...when), get(fields))).map(({ call }) => call);
    expect(calls).toEqual([expect.objectContaining(expected)]);
  });

  test("tells of a denial", async () => {
    const closed = { ...PERMISSIVE, authorization: { deny: [], allow: [] } };
    expect(await recorded(closed)).toMatchObject([{ isAdmitted: false }]);
  });
});

test("a host that is told not to records nothing", async () => {
  const { kit } = recordingWith(PERMISSIVE, false);
  await kit.run(carry(kit.mesh, get(), reception()));
  await kit.advance(30_000);
  expect(kit.calls.reports.map(({ calls }) => calls)).toEqual([undefined]);
});

test("calls go along with the first report, then every ten seconds", async () => {
  const { kit } = recordingWith(PERMISSIVE);
  const carried: number[] = [];
  for (let second = 0; second < 12; second++) {
    await kit.run(carry(kit.mesh, get(), reception()));
    await kit.advance(1_000);
    carried.push(kit.calls.reports.flatMap(({ calls = [] }) => calls).length);
  }
  expect([carried[0], carried[8], carried.at(-1)]).toEqual([1, 1, 2]);
});

test.each([
  ["authorization", true],
  ["proxy-authorization", true],
  ["cookie", true],
  ["x-api-key", true],
  ["x-auth-token", true],
  ["cf-access-jwt-assertion", true],
  ["x-session-id", true],
  ["x-authtoken", true],
  ["x-clientsecret", true],
  ["x-team", false],
  ["x-author", false],
  ["x-monkey", false],
  ["user-agent", false],
])("%s is a credential: %s", (name, expected) => {
  expect(isCredential(name)).toBe(expected);
});
