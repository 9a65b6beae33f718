import { expect, test } from "vitest";
import {
  authorize,
  principalOf,
  type Authorization,
  type AuthorizationInput,
} from "../../shared/engine/authorize.ts";
import { parseNetworkAddress } from "../../shared/engine/address-block.ts";
import { compileAuthorization, pool } from "../../shared/compile/authorization.ts";
import { authorizationPolicySpec } from "../../shared/wire/resources/authorization-policy.ts";
import { seeded } from "../engine/random.ts";
import {
  DOMAIN,
  drawPolicies,
  drawRequest,
  type TextPolicies,
  type TextRequest,
  type TextRule,
} from "./random-policies.ts";
import { slowAuthorize } from "./slow-authorization.ts";

/** Policies; each meets four requests. `PROPERTY_RUNS=100000` for a longer look. */
const RUNS = Number(process.env["PROPERTY_RUNS"] ?? 1_500);

const METADATA = {
  namespace: "x",
  labels: {},
  annotations: {},
  uid: "",
  generation: 1,
  creationTimestamp: "",
};

function policyOf(name: string, rules: readonly TextRule[]) {
  const spec = authorizationPolicySpec.parse({
    action: name.toUpperCase(),
    rules: rules.map(({ from, to, when, endsAt }) => ({
      ...(from.length === 0 ? {} : { from: from.map((source) => ({ source })) }),
      ...(to.length === 0 ? {} : { to: to.map((operation) => ({ operation })) }),
      ...(when.length === 0 ? {} : { when }),
      ...(endsAt === null ? {} : { notAfter: new Date(endsAt).toISOString() }),
    })),
  });
  return compileAuthorization({ apiVersion: "", kind: "", metadata: { ...METADATA, name }, spec }, DOMAIN);
}

function compile({ deny, allow }: TextPolicies): Authorization {
  const policies = [policyOf("deny", deny), ...(allow === null ? [] : [policyOf("allow", allow)])];
  return pool({ policies, intending: [], providers: new Map() });
}

function addressOf(text: string | null) {
  return text === null ? null : parseNetworkAddress(text);
}

function inputOf({
  caller,
  header,
  source,
  remote,
  isAddressKnown,
  ...rest
}: TextRequest): AuthorizationInput {
  const known = caller === null ? null : { trustDomain: DOMAIN, ...caller };
  return {
    ...rest,
    caller: known === null ? null : { ...known, principal: principalOf(known) },
    headers: { get: (name) => (name === "x-a" ? header : null) },
    ...(isAddressKnown ? { addresses: { source: addressOf(source), remote: addressOf(remote) } } : {}),
  };
}

test("decides as the slow reference does", { timeout: 600_000 }, () => {
  const random = seeded(1);
  const seen = new Map<string, number>();
  for (let round = 0; round < RUNS; round++) {
    const policies = drawPolicies(random);
    const authorization = compile(policies);
    for (let more = 0; more < 4; more++) {
      const request = drawRequest(random);
      const decision = authorize(authorization, inputOf(request));
      expect(decision, JSON.stringify({ policies, request })).toEqual(slowAuthorize(policies, request));
      const way = `${decision.kind}, ${decision.by === null ? "by default" : "by a rule"}`;
      seen.set(way, (seen.get(way) ?? 0) + 1);
    }
  }
  // All four ways of deciding were met often: the comparison is worth something.
  expect(seen.size).toBe(4);
  expect(Math.min(...seen.values())).toBeGreaterThan(RUNS / 10);
});

test(
  "adding a DENY rule never adds an allow, adding an ALLOW rule never a deny",
  { timeout: 600_000 },
  () => {
    const random = seeded(2);
    for (let round = 0; round < RUNS; round++) {
      const { deny, allow } = compile(drawPolicies(random));
      const more = compile(drawPolicies(random));
      const request = inputOf(drawRequest(random));
      const before = authorize({ deny, allow }, request).kind;
      const withDeny = authorize({ deny: [...deny, ...more.deny], allow }, request).kind;
      expect(before === "deny" && withDeny === "allow").toBe(false);

      const wider = allow === null ? null : [...allow, ...(more.allow ?? [])];
      const withAllow = authorize({ deny, allow: wider }, request).kind;
      expect(before === "allow" && withAllow === "deny").toBe(false);
    }
  },
);
