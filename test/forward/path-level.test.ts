import { expect, test } from "vitest";
import type { PathLevel } from "../../shared/engine/path.ts";
import { carry } from "../../shared/forward/carry.ts";
import type { Goal } from "../../shared/forward/carry.ts";
import { ok, reception, setUp, TO_REVIEWS } from "../fakes/loop.ts";
import { backend, directory, listener, OPEN, routeSet, service, virtualHost } from "../fakes/units.ts";

const TO_GATEWAY: Goal = { kind: "gateway" };
const AT_LAX: Goal = { kind: "gateway", address: { gateway: "shop/lax", port: 8080, scheme: "http" } };

/** A strict gateway at one host, and one with `level` at another. */
function doors(level: PathLevel) {
  const lax = listener("lax", { hostname: "lax.test", domains: ["lax.test"], port: 8080, pathLevel: level });
  const strict = listener("strict", { hostname: "strict.test", domains: ["strict.test"] });
  return directory({ listeners: [lax, strict] });
}

function setUpDoors(level: PathLevel) {
  const host = virtualHost(routeSet({ backends: [backend("reviews")] }), OPEN);
  const more = {
    directory: doors(level),
    "host:shop/lax/http#lax.test": host,
    "host:shop/strict/http#strict.test": host,
  };
  return setUp(service("reviews"), [ok], { more });
}

/** As raw as the platform hands it over: `Request` would bring the path into order. */
function rawRequest(url: string): Request {
  return new Proxy(new Request("http://x/"), {
    get: (target, name) => {
      const value: unknown = name === "url" ? url : Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** The path that reaches the endpoint, or the code of the refusal: of the first call of an isolate, and of a later one. */
async function paths(level: PathLevel, goal: Goal, url: string): Promise<readonly unknown[]> {
  const { kit, sent } = setUpDoors(level);
  const seen: unknown[] = [];
  for (let call = 0; call < 2; call++) {
    const response = await kit.run(carry(kit.mesh, rawRequest(url), reception({ goalOf: () => goal })));
    const last = sent.pop()?.line.replace(/^a GET http:\/\/[^/]*/, "");
    seen.push(last ?? ((await response.json()) as { code: string }).code);
  }
  return seen;
}

test.each<[string, PathLevel, Goal, string, string]>([
  [
    "the strict gateway beside a lax one",
    "decode-and-merge-slashes",
    TO_GATEWAY,
    "http://strict.test/a%2Fb",
    "path.encoded",
  ],
  [
    "a gateway that decodes slashes",
    "decode-and-merge-slashes",
    TO_GATEWAY,
    "http://lax.test/a%2F/b/../c",
    "/a/c",
  ],
  ["the same at its address", "decode-and-merge-slashes", AT_LAX, "http://lax.test/a%2F/b/../c", "/a/c"],
  ["a gateway that merges slashes only", "merge-slashes", TO_GATEWAY, "http://lax.test/a%2F//b", "/a%2F/b"],
  ["a gateway at the base level", "base", TO_GATEWAY, "http://lax.test/a//%7Eb;c", "/a//~b;c"],
  ["a gateway that takes paths as they are", "none", TO_GATEWAY, "http://lax.test/a//%7Eb", "/a//%7Eb"],
  [
    "dots that the platform would resolve behind the policies",
    "none",
    TO_GATEWAY,
    "http://lax.test/a/../b",
    "path.noncanonical",
  ],
  ["the same in other words", "none", TO_GATEWAY, "http://lax.test/a/.%2E/b", "path.noncanonical"],
  [
    "backslashes that the platform would turn",
    "none",
    TO_GATEWAY,
    "http://lax.test/a\\..\\b",
    "path.noncanonical",
  ],
  ["calls to services by their names", "base", TO_REVIEWS, "http://reviews/a;x", "path.noncanonical"],
])("%s", async (...[, level, goal, url, expected]) => {
  expect(await paths(level, goal, url)).toEqual([expected, expected]);
});

test("a cold isolate learns of its doors and of the service in one trip", async () => {
  const { kit } = setUpDoors("base");

  await kit.run(carry(kit.mesh, new Request("http://reviews/"), reception()));

  expect(kit.calls.syncs.map(({ wanted }) => wanted.toSorted())).toEqual([
    ["directory", "service:shop/reviews"],
  ]);
});

test("an isolate that refuses all that comes to a door learns nevertheless that the door has become another", async () => {
  const { kit } = setUpDoors("strict");
  const call = (): Promise<Response> =>
    kit.run(carry(kit.mesh, rawRequest("http://lax.test/a;x"), reception({ goalOf: () => TO_GATEWAY })));

  const before = await call();
  kit.put({ directory: doors("base") });
  await kit.advance(1_000);
  await call();
  await kit.advance(100);

  expect([before.status, (await call()).status]).toEqual([400, 200]);
});
