import { expect, test } from "vitest";
import * as cors from "../../shared/engine/cors.ts";
import { viewOf } from "./routes.ts";

const CORS: cors.Cors = {
  allowOrigins: ["https://www.a.test", "http://*.b.test:8080", "https://*.c.test"],
  allowCredentials: false,
  allowMethods: ["GET", "PUT"],
  allowHeaders: ["x-one", "x-two"],
  exposeHeaders: ["x-three"],
  maxAgeSeconds: 5,
};

test.each([
  ["https://www.a.test", true],
  ["https://www.a.test:443", true],
  ["HTTPS://WWW.A.test", true],
  ["http://www.a.test", false],
  ["https://www.a.test:8443", false],
  ["https://a.test", false],
  ["https://evil.test/https://www.a.test", false],
  ["https://www.a.test.evil.test", false],
  ["https://www.a.test/", false],
  ["http://x.b.test:8080", true],
  ["http://x.b.test", false],
  ["https://x.c.test", true],
  ["https://x.y.c.test", true],
  ["https://c.test", false],
  ["https://.c.test", false],
  ["https://xc.test", false],
  ["https://x.c.test@evil.test", false],
  ["https://evil@x.c.test", false],
  ["null", false],
  ["", false],
])("origin %j is allowed: %s", (origin, expected) => {
  expect(cors.allows(CORS, origin)).toBe(expected);
});

test.each([
  ["*", "null", true],
  ["*", "https://x.test:1", true],
  ["https://*", "https://x.test", true],
  ["https://*", "http://x.test", false],
  ["https://*", "https://x.test:8443", false],
  ["http://*:8080", "http://x.test:8080", true],
  ["https://x.test:443", "https://x.test", true],
  ["https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", true],
])("%s allows origin %s: %s", (allowed, origin, expected) => {
  expect(cors.allows({ ...CORS, allowOrigins: [allowed] }, origin)).toBe(expected);
});

const ASKING = { "access-control-request-method": "PUT", "access-control-request-headers": "x-one, X-Nine" };
const VARY = ["vary", "origin, access-control-request-method, access-control-request-headers"];

function preflight(change: Partial<cors.Cors>, headers: Record<string, string>) {
  return cors.answer({ ...CORS, ...change }, viewOf("/", { method: "OPTIONS", headers }));
}

const EVERYTHING: Partial<cors.Cors> = {
  allowOrigins: ["*"],
  allowMethods: ["*"],
  allowHeaders: ["*"],
  exposeHeaders: ["*"],
};

test.each<[name: string, change: Partial<cors.Cors>, headers: Record<string, string>, expected: string[][]]>([
  [
    "of an allowed origin lists what is configured",
    {},
    { origin: "https://x.c.test", ...ASKING },
    [
      ["access-control-allow-origin", "https://x.c.test"],
      ["access-control-expose-headers", "x-three"],
      ["access-control-allow-methods", "GET, PUT"],
      ["access-control-allow-headers", "x-one, x-two"],
      ["access-control-max-age", "5"],
      VARY,
    ],
  ],
  ["of another origin allows nothing", {}, { origin: "https://evil.test", ...ASKING }, [VARY]],
  [
    "without lists tells only who may ask",
    { allowMethods: [], allowHeaders: [], exposeHeaders: [], maxAgeSeconds: 60 },
    { origin: "https://x.c.test", ...ASKING },
    [["access-control-allow-origin", "https://x.c.test"], ["access-control-max-age", "60"], VARY],
  ],
  [
    "where everything is allowed has wildcards",
    EVERYTHING,
    { origin: "https://x.test", ...ASKING },
    [
      ["access-control-allow-origin", "*"],
      ["access-control-expose-headers", "*"],
      ["access-control-allow-methods", "*"],
      ["access-control-allow-headers", "*"],
      ["access-control-max-age", "5"],
      VARY,
    ],
  ],
  [
    "with credentials names what was asked for instead",
    { ...EVERYTHING, allowCredentials: true },
    { origin: "https://x.test", ...ASKING },
    [
      ["access-control-allow-origin", "https://x.test"],
      ["access-control-allow-credentials", "true"],
      ["access-control-allow-methods", "PUT"],
      ["access-control-allow-headers", "x-one, X-Nine"],
      ["access-control-max-age", "5"],
      VARY,
    ],
  ],
  [
    "with credentials that asks for no headers gets none",
    { ...EVERYTHING, allowCredentials: true },
    { origin: "https://x.test", "access-control-request-method": "GET" },
    [
      ["access-control-allow-origin", "https://x.test"],
      ["access-control-allow-credentials", "true"],
      ["access-control-allow-methods", "GET"],
      ["access-control-max-age", "5"],
      VARY,
    ],
  ],
])("a preflight %s", (_name, change, headers, expected) => {
  expect(preflight(change, headers)).toEqual(expected);
});

test.each([
  ["GET", { origin: "https://x.c.test", ...ASKING }],
  ["OPTIONS", { origin: "https://x.c.test" }],
  ["OPTIONS", { ...ASKING }],
])("%s with %j is no preflight", (method, headers) => {
  expect(cors.answer(CORS, viewOf("/", { method, headers }))).toBeNull();
});

interface Exchange {
  /** Absent: the request has none. */
  readonly origin?: string;
  /** What the backend answered. */
  readonly response?: Record<string, string>;
}

const ALLOWED = "https://x.c.test";

test.each<[name: string, change: Partial<cors.Cors>, exchange: Exchange, expected: object]>([
  [
    "for an allowed origin says so",
    {},
    { origin: ALLOWED },
    {
      "access-control-allow-origin": ALLOWED,
      "access-control-expose-headers": "x-three",
      vary: "origin",
    },
  ],
  [
    "replaces what the backend said",
    { allowCredentials: true },
    {
      origin: ALLOWED,
      response: { "access-control-allow-origin": "https://old.test", vary: "accept-encoding" },
    },
    {
      "access-control-allow-credentials": "true",
      "access-control-allow-origin": ALLOWED,
      "access-control-expose-headers": "x-three",
      vary: "accept-encoding, origin",
    },
  ],
  ["for another origin says nothing", {}, { origin: "https://evil.test" }, { vary: "origin" }],
  [
    "without an origin says nothing",
    {},
    { response: { vary: "Accept, Origin" } },
    { vary: "Accept, Origin" },
  ],
  ["keeps a vary for everything", {}, { response: { vary: "*" } }, { vary: "*" }],
  [
    "for everybody is the same for everybody",
    EVERYTHING,
    { origin: "https://x.test" },
    { "access-control-allow-origin": "*", "access-control-expose-headers": "*" },
  ],
  [
    "for everybody with credentials names the origin",
    { ...EVERYTHING, allowCredentials: true },
    { origin: "https://x.test" },
    {
      "access-control-allow-credentials": "true",
      "access-control-allow-origin": "https://x.test",
      vary: "origin",
    },
  ],
])("a response %s", (_name, change, { origin, response }, expected) => {
  const headers = new Headers(response);
  const sent: Record<string, string> = origin === undefined ? {} : { origin };
  cors.decorate({ ...CORS, ...change }, viewOf("/", { headers: sent }), headers);
  expect(Object.fromEntries(headers)).toEqual(expected);
});
