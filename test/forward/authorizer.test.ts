import { describe, expect, test } from "vitest";
import type {
  Authorization,
  AuthorizationProvider,
  AuthorizationRule,
} from "../../shared/engine/authorize.ts";
import { carry } from "../../shared/forward/carry.ts";
import { codeOf, ok, reception, setUp } from "../fakes/loop.ts";
import { PERMISSIVE, service } from "../fakes/units.ts";

const PROVIDER: AuthorizationProvider = {
  name: "opa",
  address: { kind: "origin", url: "https://opa.example" },
  pathPrefix: "/check",
  timeoutMs: 200,
  sends: ["x-team"],
  adds: { "x-mesh": "m" },
  toUpstream: ["x-user", "connection", "x-selvedge-peer"],
  toDenied: [],
  failsOpen: false,
  statusOnError: 403,
};

const UNDER_A: AuthorizationRule = {
  policy: "shop/custom",
  rule: 0,
  from: [],
  to: [{ paths: [{ kind: "prefix", value: "/a" }] }],
};

interface Setting {
  readonly provider?: AuthorizationProvider | null;
  readonly authorization?: Partial<Authorization>;
}

/** A service whose calls under `/a` an authorizer decides, who answers with `answer`. */
function guarded(
  answer: () => Response | Promise<Response>,
  { provider = PROVIDER, authorization = {} }: Setting = {},
) {
  const asked: Request[] = [];
  const custom = [{ provider, rules: [UNDER_A] }];
  const inbound = [{ ...PERMISSIVE, authorization: { deny: [], allow: null, custom, ...authorization } }];
  const ask = async (_address: unknown, request: Request) => {
    asked.push(request);
    return answer();
  };
  const { kit, sent } = setUp(service("reviews", { inbound }), [ok], { ask });
  const call = (path: string, init: RequestInit = {}) =>
    kit.run(carry(kit.mesh, new Request(`http://reviews${path}`, init), reception()));
  return { kit, sent, asked, call };
}

const agrees = () => new Response("", { headers: { "x-user": "jane", "x-selvedge-peer": "a" } });

test("shows the call, and never its body", async () => {
  const { asked, call } = guarded(agrees);
  const headers = { authorization: "Basic a", "x-team": "t", "x-secret": "s" };
  await call("/a/b?c=d", { method: "POST", body: "secret", headers });
  const [request] = asked;
  expect([request?.method, request?.url, request?.redirect, await request?.text()]).toEqual([
    "POST",
    "https://opa.example/check/a/b?c=d",
    "manual",
    "",
  ]);
  expect(Object.fromEntries(request?.headers ?? [])).toEqual({
    authorization: "Basic a",
    "x-team": "t",
    "x-mesh": "m",
    "x-forwarded-host": "reviews",
  });
});

const BRINGS_USER: AuthorizationRule = {
  policy: "shop/outside",
  rule: 0,
  from: [],
  to: [],
  when: [{ kind: "header", name: "x-user", values: [{ kind: "present" }] }],
};

test.each<[string, Partial<Authorization>, () => Response, unknown]>([
  ["stays where the answer has none", {}, () => new Response(""), [200, "root"]],
  ["is replaced by an empty one", {}, () => new Response("", { headers: { "x-user": "" } }), [200, ""]],
  [
    "is refused before it is replaced, where a policy denies it",
    { deny: [BRINGS_USER] },
    agrees,
    [403, undefined],
  ],
])(
  "a field that services believe, when a client makes it up, %s",
  async (_what, authorization, answer, expected) => {
    const { sent, call } = guarded(answer, { authorization });
    const { status } = await call("/a", { headers: { "x-user": "root" } });
    expect([status, sent[0]?.headers.get("x-user")]).toEqual(expected);
  },
);

test("is asked about calls that its rules match, and tells the callee what it may", async () => {
  const { asked, sent, call } = guarded(agrees);
  const replies = [await call("/b"), await call("/a", { headers: { "x-user": "root" } })];
  expect(replies.map(({ status }) => status)).toEqual([200, 200]);
  expect(asked.length).toBe(1);
  const seen = sent.map(({ headers }) => [headers.get("x-user"), headers.get("x-selvedge-peer") === "a"]);
  expect(seen).toEqual([
    [null, false],
    ["jane", false],
  ]);
});

const telling = (status: number) => () =>
  new Response(null, {
    status,
    headers: { "x-ext-a": "1", "b-ext": "2", "x-selvedge-peer": "a", other: "3" },
  });

const sized = () => new Response(null, { headers: { "content-length": "9", "content-language": "en" } });

test("fields of its answer are named by their beginnings and ends, too", async () => {
  const provider = { ...PROVIDER, toUpstream: ["x-*", "*-ext"], toDenied: ["x-ext*"] };
  const names = ["x-ext-a", "b-ext", "other"];
  const { sent, call } = guarded(telling(200), { provider });
  await call("/a");
  expect(sent.map(({ headers }) => names.map((name) => headers.get(name)))).toEqual([["1", "2", null]]);
  expect(sent[0]?.headers.get("x-selvedge-peer")).not.toBe("a");
  const { sent: got, call: ask } = guarded(sized, { provider: { ...PROVIDER, toUpstream: ["content-*"] } });
  await ask("/a");
  expect(["length", "language"].map((name) => got[0]?.headers.get(`content-${name}`))).toEqual([null, "en"]);
  const reply = await guarded(telling(403), { provider }).call("/a");
  expect(names.map((name) => reply.headers.get(name))).toEqual(["1", null, null]);
});

const failing = () => Promise.reject(new Error("no way"));
const slow = () => new Promise<Response>(() => undefined);
const answering = (status: number) => () => new Response(null, { status });

test.each<[string, () => Response | Promise<Response>, Setting, readonly [number, string?]]>([
  ["agrees", agrees, {}, [200]],
  ["says 403", answering(403), {}, [403, "authz.custom"]],
  ["says 401", answering(401), {}, [401, "authz.custom"]],
  ["says 204", answering(204), {}, [403, "authz.custom"]],
  ["says 500", answering(500), {}, [403, "authz.custom"]],
  ["cannot be reached", failing, {}, [403, "authz.custom"]],
  ["does not answer in time", slow, {}, [403, "authz.custom"]],
  [
    "fails, with a status for that",
    failing,
    { provider: { ...PROVIDER, statusOnError: 503 } },
    [503, "authz.custom"],
  ],
  ["fails open", failing, { provider: { ...PROVIDER, failsOpen: true } }, [200]],
  ["fails open by a status", answering(503), { provider: { ...PROVIDER, failsOpen: true } }, [200]],
  [
    "denies although it fails open",
    answering(403),
    { provider: { ...PROVIDER, failsOpen: true } },
    [403, "authz.custom"],
  ],
  ["is nobody", agrees, { provider: null }, [403, "authz.custom"]],
  ["agrees, and a DENY rule does not", agrees, { authorization: { deny: [UNDER_A] } }, [403, "authz.rule"]],
  ["agrees, and no ALLOW rule does", agrees, { authorization: { allow: [] } }, [403, "authz.default_deny"]],
  [
    "denies what an ALLOW rule lets in",
    answering(403),
    { authorization: { allow: [UNDER_A] } },
    [403, "authz.custom"],
  ],
])("an authorizer that %s", async (_what, answer, setting, [status, code]) => {
  const { call } = guarded(answer, setting);
  const reply = await call("/a");
  expect([reply.status, status === 200 ? undefined : await codeOf(reply)]).toEqual([
    status,
    code === undefined ? undefined : [status, code],
  ]);
});

const denial = () =>
  new Response("its body", {
    status: 302,
    headers: {
      location: "https://login.example/",
      "x-why": "a",
      "content-type": "text/html",
      "x-selvedge-hops": "1",
    },
  });

describe("a denial", () => {
  test.each([
    [
      "all fields but those of its body",
      [],
      ["https://login.example/", "a", "application/problem+json", null],
    ],
    ["those that are named", ["x-why"], [null, "a", "application/problem+json", null]],
  ])("has %s", async (_what, toDenied, fields) => {
    const { call } = guarded(denial, { provider: { ...PROVIDER, toDenied } });
    const reply = await call("/a");
    const names = ["location", "x-why", "content-type", "x-selvedge-hops"];
    expect([reply.status, names.map((name) => reply.headers.get(name))]).toEqual([302, fields]);
    expect(await reply.text()).not.toContain("its body");
  });
});

test("all providers must agree", async () => {
  const custom = ["opa", "other"].map((name) => ({ provider: { ...PROVIDER, name }, rules: [UNDER_A] }));
  const answers = [agrees(), new Response(null, { status: 403 })];
  const { asked, call } = guarded(() => answers.shift() ?? agrees(), { authorization: { custom } });
  expect([(await call("/a")).status, asked.length]).toEqual([403, 2]);
});
