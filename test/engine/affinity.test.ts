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
