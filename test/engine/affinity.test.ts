import { expect, test } from "vitest";
import * as affinity from "../../shared/engine/affinity.ts";
import { endpoint } from "./endpoints.ts";

const T = 1_700_000_000_000;
const HOUR = 3_600_000;
const COOKIE: affinity.SessionPersistence = { kind: "cookie", name: "s", lifetime: "session", path: "/" };
const HEADER: affinity.SessionPersistence = { ...COOKIE, kind: "header", name: "x-session" };
const HOURLY = { ...COOKIE, absoluteTimeoutMs: HOUR };

const ENDPOINTS = ["a", "b", "c"].map((id) => endpoint(id));
const PLACE: affinity.Place = { service: "shop/reviews", endpoints: ENDPOINTS };

/** The headers of a request from a client that took in what the mesh issued. */
function returning(policy: affinity.SessionPersistence, id: string, service = PLACE.service): Headers {
  const { name, value } = affinity.issue(policy, service, id, T);
  return policy.kind === "header"
    ? new Headers({ [name]: value })
    : new Headers({ cookie: `other=1; ${value.split(";")[0] ?? ""}; last=2` });
}

test.each([COOKIE, HEADER])("a $kind leads back to its endpoint, an hour later as well", (policy) => {
  const found = ENDPOINTS.map(({ id }) => affinity.read(policy, returning(policy, id), PLACE, T + HOUR));
  expect(found).toEqual(ENDPOINTS);
});

test.each([
  ["a client without a session", COOKIE, new Headers(), PLACE],
  ["an endpoint that is gone", COOKIE, returning(COOKIE, "gone"), PLACE],
  ["an endpoint that may not be used", COOKIE, returning(COOKIE, "a"), { ...PLACE, endpoints: [] }],
  ["the session of another service", COOKIE, returning(COOKIE, "a", "shop/ratings"), PLACE],
  ["another name", { ...COOKIE, name: "t" }, returning(COOKIE, "a"), PLACE],
  ["a header instead of a cookie", HEADER, returning(COOKIE, "a"), PLACE],
  ["not of ours", COOKIE, new Headers({ cookie: "s=a" }), PLACE],
  ["empty", COOKIE, new Headers({ cookie: "s=" }), PLACE],
])("no session: %s", (_name, policy, headers, place) => {
  expect(affinity.read(policy, headers, place, T)).toBe(null);
});

test("no session at the limit itself of its absolute time-out", () => {
  expect(affinity.read(HOURLY, returning(HOURLY, "a"), PLACE, T + HOUR)).toBe(null);
});

test.each([T + HOUR - 1000, T - HOUR])(
  "a session within its time, or begun by a clock ahead of ours",
  (now) => {
    expect(affinity.read(HOURLY, returning(HOURLY, "a"), PLACE, now)?.id).toBe("a");
  },
);

const IDLE = { ...COOKIE, idleTimeoutMs: 60_000 };

/** The headers of a client whose session was last renewed at each of these times, in turn. */
function renewed(policy: affinity.SessionPersistence, ...times: readonly number[]): Headers {
  let headers = returning(policy, "a");
  for (const now of times) {
    const field = affinity.renew(policy, headers, now);
    if (field !== null) headers = new Headers({ cookie: field.value.split(";")[0] ?? "" });
  }
  return headers;
}

test.each<[string, headers: Headers, now: number, expected: string | undefined]>([
  ["within the time", returning(IDLE, "a"), T + 59_000, "a"],
  ["at the limit itself", returning(IDLE, "a"), T + 60_000, undefined],
  ["busy for three times as long", renewed(IDLE, T + 50_000, T + 100_000, T + 150_000), T + 209_000, "a"],
  ["idle after that", renewed(IDLE, T + 50_000, T + 100_000, T + 150_000), T + 210_000, undefined],
  ["used by a clock ahead of ours", renewed(IDLE, T + HOUR), T, "a"],
])("a session with an idle time-out, %s", (_name, headers, now, expected) => {
  expect(affinity.read(IDLE, headers, PLACE, now)?.id).toBe(expected);
});

test("renewing does not move the begin of a session, nor its cookie's end", () => {
  const policy = { ...HOURLY, idleTimeoutMs: HOUR, lifetime: "permanent" as const };
  const headers = renewed(policy, T + HOUR / 2);
  expect(affinity.read(policy, headers, PLACE, T + HOUR)).toBe(null);
  expect(affinity.renew(policy, headers, T + HOUR - 60_000)?.value).toContain("; Max-Age=60;");
});

test.each<[string, affinity.SessionPersistence, Headers, now: number]>([
  ["without an idle time-out", HOURLY, returning(HOURLY, "a"), T + 5_000],
  ["within the second", IDLE, returning(IDLE, "a"), T + 999],
  ["of a client without a session", IDLE, new Headers(), T],
])("nothing to renew %s", (_name, policy, headers, now) => {
  expect(affinity.renew(policy, headers, now)).toBe(null);
});

const VALUE = /^[0-9a-f]{16}\.[0-9a-z]+$/;

test.each<[string, affinity.SessionPersistence, attributes: string[]]>([
  ["a session's cookie", HOURLY, ["Path=/", "HttpOnly"]],
  [
    "a permanent one",
    { ...HOURLY, lifetime: "permanent", path: "/a" },
    ["Path=/a", "Max-Age=3600", "HttpOnly"],
  ],
])("%s", (_name, policy, expected) => {
  const { name, value } = affinity.issue(policy, PLACE.service, "a", T);
  const [pair = "", ...attributes] = value.split("; ");
  expect([name, attributes]).toEqual(["set-cookie", expected]);
  expect(pair.slice(0, 2)).toBe("s=");
  expect(pair.slice(2)).toMatch(VALUE);
});

test("a header's value is the session itself", () => {
  const { name, value } = affinity.issue(HEADER, PLACE.service, "a", T);
  expect(name).toBe("x-session");
  expect(value).toMatch(VALUE);
});
