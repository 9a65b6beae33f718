/**
 * Tells whether a caller may make a call, and why: the same decisions as a
 * host makes, on the same units, without sending anything.
 *
 * @module
 */
import type { Addresses } from "../engine/access-condition.ts";
import { parseNetworkAddress } from "../engine/address-block.ts";
import { trace, type TracedRule } from "../engine/authorization-trace.ts";
import { authorize, consulted, isToAny, type AuthorizationInput } from "../engine/authorize.ts";
import type { EndUser } from "../engine/end-user.ts";
import { DIRECTORY, serviceKey, type InboundPolicy, type ServiceUnit } from "../engine/snapshot.ts";
import { callerOf, parseWorkload } from "../identity/spiffe.ts";
import type { CheckAnswer, CheckedDecision, CheckRequest } from "../wire/authz-check.ts";
import { fail, succeed, type Outcome, type ProblemCode } from "../wire/problem.ts";
import * as door from "./door.ts";
import { identifyUser } from "./end-users.ts";
import { load, type Knowledge } from "./explain-inquiry.ts";
import { modeAt } from "./inbound.ts";
import type { Verifier } from "./issuer-keys.ts";

/** Rules and endpoints told of. */
const MAX_STEPS = 200;
const MAX_ENDPOINTS = 20;

/** What an answer is made from. */
export interface Access {
  readonly knowledge: Knowledge;
  readonly verifier: Verifier;
}

/** Checks one call to a service. Rejects only when the units cannot be loaded. */
export async function checkAccess(question: CheckRequest, access: Access): Promise<Outcome<CheckAnswer>> {
  const { knowledge } = access;
  const directory = await load(knowledge, DIRECTORY, "directory");
  if (directory === null) throw new Error("there is always a directory");
  const service = await load(knowledge, serviceKey(question.to), "service");
  if (service === null)
    return fail({ code: "resource.not_found", detail: `There is no Service ${question.to}.` });
  const entry = door.read(requestOf(question, service, knowledge.meshDomain), "worker");
  if (entry.kind === "refusal") return fail(entry.problem);
  const { method, host, port, path, query, headers } = entry.view;
  const from = question.from === undefined ? null : parseWorkload(question.from);
  const caller = from === null ? null : callerOf({ trustDomain: directory.trustDomain, ...from });
  const addresses = addressesOf(question.address);
  const input = { caller, host, port, method, path, query, headers, addresses, now: knowledge.now() };
  const decisions = await Promise.all(
    service.inbound.map(async (policy, index) => ({
      endpoints: endpointsAt(service, index),
      ...(await decide(access, policy, input)),
    })),
  );
  return succeed({
    version: knowledge.version(),
    caller: caller === null ? null : `spiffe://${caller.principal}`,
    request: { method, host, port, path },
    decisions,
  });
}

function requestOf(
  { to, method, path, host, port, headers }: CheckRequest,
  service: ServiceUnit,
  meshDomain: string,
): door.RawRequest {
  const [namespace = "", name = ""] = to.split("/");
  const named = host ?? `${name}.${namespace}.${meshDomain}`;
  const called = port ?? service.ports[0]?.port ?? 80;
  const fields = headers.map((header): [string, string] => [header.name, header.value]);
  return { method, url: `http://${named}:${called}${path}`, headers: new Headers(fields) };
}

function addressesOf(text: string | undefined): Addresses {
  const address = text === undefined ? null : parseNetworkAddress(text);
  return { source: address, remote: address };
}

function endpointsAt({ endpoints }: ServiceUnit, index: number): readonly string[] {
  return endpoints
    .filter(({ inbound }) => inbound === index)
    .slice(0, MAX_ENDPOINTS)
    .map(({ id }) => id);
}

interface Input extends AuthorizationInput {
  readonly query: string;
}

async function decide(
  { verifier }: Access,
  policy: InboundPolicy,
  input: Input,
): Promise<Omit<CheckedDecision, "endpoints">> {
  const peer = modeAt(policy, input.port);
  const known = peer === "disabled" ? { ...input, caller: null } : input;
  const credentials = { ...known, isBearerOurs: false };
  const identified =
    policy.users === undefined ? null : await identifyUser(verifier, policy.users, credentials);
  const user = identified?.kind === "user" ? identified.user : null;
  const asked = { ...known, user };
  const binds = peer !== "disabled" && policy.tokens?.isBound === true;
  const tokenBinding = binds ? ({ tokenBinding: "Certificate" } as const) : {};
  const once = policy.tokens?.once;
  const told = {
    peer,
    ...tokenBinding,
    takesTokenOnce: once !== undefined && isToAny(once, asked),
    user: nameOf(user),
    ...steps(policy, asked),
    asks: asks(policy, asked),
  };
  if (peer === "strict" && known.caller === null)
    return { ...told, ...denied("authn.missing", "the workload asks for callers with a proven identity") };
  if (identified?.kind === "refusal")
    return { ...told, ...denied(identified.problem.code, identified.problem.detail) };
  return { ...told, ...verdict(policy, asked) };
}

function nameOf(user: EndUser | null): string | null {
  return user === null ? null : `${user.issuer}/${user.subject}`;
}

/** Rules that match, then others. */
function steps(
  { authorization }: InboundPolicy,
  input: Input,
): { steps: TracedRule[]; omittedSteps: number } {
  const all = trace(authorization, input);
  const matching = all.filter(({ verdict }) => verdict === "matches").length;
  const told = all.toSorted((a, b) => Number(b.verdict === "matches") - Number(a.verdict === "matches"));
  const shown = all.length <= MAX_STEPS ? all : told.slice(0, Math.max(MAX_STEPS, matching));
  return { steps: shown, omittedSteps: all.length - shown.length };
}

function asks({ authorization: { custom = [] } }: InboundPolicy, input: Input): readonly string[] {
  return custom
    .filter((rules) => consulted(rules, input) !== null)
    .map(({ provider }) => provider?.name ?? "nobody: calls are denied");
}

type Verdict = Pick<CheckedDecision, "isAllowed" | "by" | "code" | "reason">;

function denied(code: ProblemCode, reason: string): Verdict {
  return { isAllowed: false, by: null, code, reason };
}

function verdict({ authorization }: InboundPolicy, input: Input): Verdict {
  const unasked = authorization.custom?.some(
    (rules) => rules.provider === null && consulted(rules, input) !== null,
  );
  if (unasked === true) return denied("authz.custom", "the mesh does not know the policy's provider");
  const { kind, by } = authorize(authorization, input);
  if (kind === "allow")
    return {
      isAllowed: true,
      by,
      code: null,
      reason: by === null ? "no policy speaks against it" : "a rule allows it",
    };
  if (by === null)
    return denied("authz.default_deny", "there are ALLOW policies, and no rule of theirs matches");
  return { isAllowed: false, by, code: "authz.rule", reason: "a rule denies it" };
}
