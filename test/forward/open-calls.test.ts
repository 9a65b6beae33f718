/** What ends a call that is open, and what does not, at the host that let it in. */
import { beforeAll, describe, expect, test } from "vitest";
import type { Authorization } from "../../shared/engine/authorize.ts";
import type { InboundPolicy, Revocations, Unit, UnitKey } from "../../shared/engine/snapshot.ts";
import { carry } from "../../shared/forward/carry.ts";
import type { Held } from "../../shared/forward/ports.ts";
import { receive } from "../../shared/forward/receive.ts";
import { serve } from "../../shared/forward/serve.ts";
import { generateSigningKey } from "../../shared/identity/key.ts";
import type { KeyPair } from "../../shared/identity/key.ts";
import { issuerOf, rule } from "../fakes/issuers.ts";
import type { Issuer } from "../fakes/issuers.ts";
import { reception, setUp } from "../fakes/loop.ts";
import { meshKit, START } from "../fakes/mesh-kit.ts";
import type { MeshKit, Send } from "../fakes/mesh-kit.ts";
import { directory, PERMISSIVE, service, TRAFFIC, workload } from "../fakes/units.ts";
import { CALLEE, CALLER, forge } from "../identity/forge.ts";

type Units = Readonly<Record<UnitKey, Unit | null>>;

let pair: KeyPair;
let stranger: KeyPair;
let issuer: Issuer;

beforeAll(async () => {
  [pair, stranger] = [await generateSigningKey(), await generateSigningKey()];
  issuer = await issuerOf("one");
});

const NOBODY: Authorization = { deny: [], allow: [] };

/** A host of the mesh and what it needs to be told to change. */
interface Place {
  readonly name: string;
  readonly audience: string;
  /** The unit that protects the callee. */
  unit(inbound: InboundPolicy): Units;
  /** Opens a stream at it. */
  open(kit: MeshKit, headers: Readonly<Record<string, string>>): Promise<Response>;
  kit(units: Record<UnitKey, Unit>, hold: () => Held, answer: () => Response): MeshKit;
}

const EDGE: Place = {
  name: "the edge",
  audience: "spiffe://mesh.test",
  unit: (inbound) => ({ "service:shop/reviews": service("reviews", { inbound: [inbound] }) }),
  open: (kit, headers) => {
    const from = reception({ readsTokens: true, vouched: () => null });
    return carry(kit.mesh, new Request("http://reviews/", { headers }), from);
  },
  kit: ({ directory: known, ...units }, hold, answer) => {
    const reviews = units["service:shop/reviews"] ?? service("reviews");
    const more = known === undefined ? {} : { directory: known };
    return setUp(reviews, [answer], { hold, more }).kit;
  },
};

const LIBRARY: Place = {
  name: "the library",
  audience: CALLEE,
  unit: (inbound) => ({ "workload:shop/reviews-v1": workload(inbound) }),
  open: async (kit, headers) => {
    const welcome = await receive(kit.mesh, new Request("http://reviews/", { headers }), "shop/reviews-v1");
    if (welcome instanceof Response) return welcome;
    return serve(kit.mesh, welcome, async () => stream());
  },
  kit: (units, hold) => meshKit({ units, hold }),
};

function stream(): Response {
  return new Response("data: 1\n\n", { headers: { "content-type": "text/event-stream" } });
}

function known(revoked?: Revocations, keys = [pair.publicJwk]): Units {
  return { directory: directory({ keys, ...(revoked === undefined ? {} : { revoked }) }) };
}

function present(units: Units): Record<UnitKey, Unit> {
  return Object.fromEntries(
    Object.entries(units).flatMap(([key, unit]) => (unit === null ? [] : [[key, unit]])),
  );
}

/** Opens a stream, lets time pass, changes what the host knows, and tells whether the stream was cut and why. */
async function reasonAfter(
  place: Place,
  { before, after, waitMs = 0, fields = {} }: Change,
): Promise<string | null> {
  const log: string[] = [];
  const hold = (): Held => ({
    response: stream(),
    isOpen: () => log.length === 0,
    cut: () => void log.push("cut"),
  });
  const token = await forge(pair, {}, { aud: place.audience });
  const kit = place.kit(present({ ...known(), ...before }), hold, stream);
  const { status } = await kit.run(place.open(kit, { "x-selvedge-peer": token, ...fields }));
  expect(status).toBe(200);
  await kit.advance(waitMs);
  kit.put(after);
  await kit.advance(3_000);
  const line = kit.lines.find(({ event }) => event === "call.cut");
  expect(log.length).toBe(line === undefined ? 0 : 1);
  return line === undefined ? null : String(line["reason"]);
}

interface Change {
  readonly before: Units;
  readonly after: Units;
  readonly waitMs?: number;
  readonly fields?: Readonly<Record<string, string>>;
}

const AN_HOUR = 3_600_000;
const ids = (...names: readonly string[]): Revocations => ({ ids: names, identities: [] });
const all = (subject: string, before: number): Revocations => ({
  ids: [],
  identities: [{ subject, before }],
});

describe.each([EDGE, LIBRARY])("at $name", (place) => {
  const open = place.unit(PERMISSIVE);
  const shut = place.unit({ ...PERMISSIVE, authorization: NOBODY });

  test.each<[string, () => Omit<Change, "before">, string | null]>([
    ["its token was revoked", () => ({ after: known(ids("t-1")) }), "authn.revoked"],
    ["another token was revoked", () => ({ after: known(ids("t-2")) }), null],
    [
      "its token was revoked, though it has run out",
      () => ({ after: known(ids("t-1")), waitMs: AN_HOUR }),
      "authn.revoked",
    ],
    [
      "its caller was revoked",
      () => ({ after: known(all(CALLER, START + 2 * AN_HOUR)), waitMs: AN_HOUR }),
      "authn.revoked",
    ],
    ["its caller was revoked before it began", () => ({ after: known(all(CALLER, START - 1)) }), null],
    ["another caller was revoked", () => ({ after: known(all(CALLEE, START + AN_HOUR)) }), null],
    ["its token has run out", () => ({ after: known(ids()), waitMs: AN_HOUR }), null],
    [
      "its token is good and its key is not trusted any more",
      () => ({ after: known(ids(), [stranger.publicJwk]) }),
      "authn.token.invalid",
    ],
    [
      "its key was replaced when its token had run out",
      () => ({ after: known(ids(), [stranger.publicJwk]), waitMs: AN_HOUR }),
      null,
    ],
    ["a policy denies it", () => ({ after: shut }), "authz.default_deny"],
    [
      "a policy denies it after its token has run out",
      () => ({ after: shut, waitMs: AN_HOUR }),
      "authz.default_deny",
    ],
    ["its callee is gone", () => ({ after: { [Object.keys(open)[0] ?? ""]: null } }), null],
    ["nothing of it has changed", () => ({ after: open }), null],
  ])("when %s", async (_what, change, reason) => {
    expect(await reasonAfter(place, { before: open, ...change() })).toBe(reason);
  });

  test.each<[string, () => Units, string | null]>([
    ["nothing of that has changed", () => forJane(place, ["one"]), null],
    ["nobody is let in any more", () => forJane(place, ["one"], NOBODY), "authz.default_deny"],
    ["no user is known any more", () => forJane(place, []), "authz.default_deny"],
    ["another issuer has taken its issuer's place", () => forJane(place, ["two"]), "authn.token.invalid"],
  ])("a call for an end user whose token has run out, when %s", async (_what, after, reason) => {
    const fields = { authorization: `Bearer ${await issuer.token()}` };
    const change = { before: forJane(place, ["one"]), after: after(), fields, waitMs: AN_HOUR };
    expect(await reasonAfter(place, change)).toBe(reason);
  });
});

/** Lets in who comes for jane, as one of some issuers tells. */
function forJane(place: Place, issuers: readonly string[], instead?: Authorization): Units {
  const user = {
    issuer: { kind: "exact", value: "one" },
    subject: { kind: "exact", value: "jane" },
  } as const;
  const from = [{ also: [{ kind: "user" as const, values: [user] }] }];
  const authorization = instead ?? { deny: [], allow: [{ policy: "shop/p", rule: 0, from, to: [] }] };
  return place.unit({ ...PERMISSIVE, users: issuers.map((name) => rule(name, issuer.jwk)), authorization });
}

test("at the edge a call stays open when its endpoint is gone, and its caller's revocation still ends it", async () => {
  const gone = { "service:shop/reviews": service("reviews", { endpoints: [], inbound: [] }) };
  const before = EDGE.unit(PERMISSIVE);
  expect([
    await reasonAfter(EDGE, { before, after: gone }),
    await reasonAfter(EDGE, { before, after: { ...gone, ...known(all(CALLER, START + AN_HOUR)) } }),
  ]).toEqual([null, "authn.revoked"]);
});

/** Waits until it is given up. */
const sendInVain: Send = (_to, { signal }) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));

test("a call that waits is refused when its caller is not let in any more", async () => {
  const timeless = { traffic: { ...TRAFFIC, timeouts: {} } };
  const { kit } = setUp(service("reviews", timeless), [], { send: sendInVain });
  const answer = { status: 0 };
  const request = new Request("http://reviews/");
  void carry(kit.mesh, request, reception()).then(({ status }) => (answer.status = status));
  await kit.advance(2_000);
  expect(answer.status).toBe(0);
  const inbound = [{ ...PERMISSIVE, authorization: NOBODY }];
  kit.put({ "service:shop/reviews": service("reviews", { ...timeless, inbound }) });
  await kit.advance(3_000);
  expect(answer.status).toBe(403);
});

test("what a workload answers after its call was cut is freed", async () => {
  const token = await forge(pair, {}, { aud: CALLEE });
  const kit = meshKit({ units: present({ ...known(), ...LIBRARY.unit(PERMISSIVE) }) });
  const request = new Request("http://reviews/", { headers: { "x-selvedge-peer": token } });
  const welcome = await kit.run(receive(kit.mesh, request, "shop/reviews-v1"));
  if (welcome instanceof Response) throw new Error("the call is not welcome");
  const late = Promise.withResolvers<Response>();
  const answer = { status: 0, isFreed: false };
  void serve(kit.mesh, welcome, () => late.promise).then(({ status }) => (answer.status = status));
  await kit.advance(2_000);
  kit.put(LIBRARY.unit({ ...PERMISSIVE, authorization: NOBODY }));
  await kit.advance(3_000);
  const body = new ReadableStream({ cancel: () => void (answer.isFreed = true) });
  late.resolve(new Response(body));
  await kit.advance(1);
  expect(answer).toEqual({ status: 403, isFreed: true });
});
