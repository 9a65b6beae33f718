/**
 * What policies mean, found out slowly: by regular expressions and binary digits, from the texts of the policies. Shares
 * no code with the engine.
 */
import type * as authorize from "../../shared/engine/authorize.ts";
import type { EndUser } from "../../shared/engine/end-user.ts";
import {
  DOMAIN,
  type Fields,
  type TextPolicies,
  type TextRequest,
  type TextRule,
} from "./random-policies.ts";

const literal = (text: string): string => text.replaceAll(/[^a-zA-Z0-9]/g, (character) => `\\${character}`);

function pattern(text: string): RegExp {
  if (text === "*") return /^.+$/;
  if (text.startsWith("*")) return new RegExp(`^.*${literal(text.slice(1))}$`);
  return new RegExp(text.endsWith("*") ? `^${literal(text.slice(0, -1))}.*$` : `^${literal(text)}$`);
}

function pathPattern(text: string): RegExp {
  if (!text.includes("{")) return pattern(text);
  const parts = text
    .split(/(\{\*\*?\})/)
    .map((part) => (part === "{*}" ? "[^/]+" : part === "{**}" ? ".*" : literal(part)));
  return new RegExp(`^${parts.join("")}$`);
}

function binary(address: string): string {
  if (address.includes(".")) {
    const octets = address.split(".").map((octet) => Number(octet).toString(2).padStart(8, "0"));
    return `4${octets.join("")}`;
  }
  const [head = "", tail = ""] = address.split("::").map((half) =>
    half
      .split(":")
      .filter((group) => group !== "")
      .map((group) => Number.parseInt(group, 16).toString(2).padStart(16, "0"))
      .join(""),
  );
  return `6${head}${"0".repeat(128 - head.length - tail.length)}${tail}`;
}

function isInside(block: string, address: string): boolean {
  const [network = "", length = network.includes(":") ? "128" : "32"] = block.split("/");
  return binary(address).startsWith(binary(network).slice(0, Number(length) + 1));
}

const hitsText = (patterns: readonly string[], values: readonly string[]) =>
  patterns.some((text) => values.some((value) => pattern(text).test(value)));

function hitsUser(patterns: readonly string[], user: EndUser | null): boolean {
  if (user === null || user.subject === "") return false;
  return patterns.some((text) => {
    if (!text.includes("/")) return pattern(text).test(text.startsWith("*") ? user.subject : user.issuer);
    const [issuer = "", subject = ""] = text.split("/");
    return pattern(issuer).test(user.issuer) && pattern(subject).test(user.subject);
  });
}

const hitsAddress = (blocks: readonly string[], address: string | null) =>
  blocks.some((block) => address !== null && isInside(block, address));

/** Whether the positive list of a field is met; `null`: nobody can know. */
function hits(field: string, list: readonly string[], request: TextRequest): boolean | null {
  const { caller, user } = request;
  const who = caller === null ? [] : [`${DOMAIN}/ns/${caller.namespace}/sa/${caller.serviceAccount}`];
  switch (field) {
    case "principals":
    case "source.principal":
      return hitsText(list, who);
    case "namespaces":
    case "source.namespace":
      return hitsText(list, caller === null ? [] : [caller.namespace]);
    case "trustDomains":
      return hitsText(list, caller === null ? [] : [DOMAIN]);
    case "requestPrincipals":
    case "request.auth.principal":
      return hitsUser(list, user);
    case "ipBlocks":
    case "source.ip":
      return request.isAddressKnown ? hitsAddress(list, request.source) : null;
    case "remoteIpBlocks":
    case "remote.ip":
      return request.isAddressKnown ? hitsAddress(list, request.remote) : null;
    case "hosts":
      return hitsText(list, [request.host]);
    case "ports":
    case "destination.port":
      return list.includes(String(request.port));
    case "methods":
      return hitsText(list, [request.method]);
    case "paths":
      return list.some((text) => pathPattern(text).test(request.path));
    case "request.headers[x-a]":
      return hitsText(list, request.header === null ? [] : [request.header]);
    case "request.auth.audiences":
      return hitsText(list, user?.audiences ?? []);
    case "request.auth.claims[groups]": {
      const groups = user?.claims["groups"];
      return hitsText(list, Array.isArray(groups) ? groups : typeof groups === "string" ? [groups] : []);
    }
    default:
      return null;
  }
}

function slowMatch(rule: TextRule, request: TextRequest, restricts: boolean): boolean {
  const isMet = (field: string, list: readonly string[] | undefined, isNegative: boolean): boolean => {
    if (list === undefined) return true;
    const hit = hits(field, list, request);
    return hit === null ? restricts : hit !== isNegative;
  };
  const all = (fields: Fields) =>
    Object.entries(fields).every(([name, list]) => {
      const isNegative = name.startsWith("not");
      const field = isNegative ? name.charAt(3).toLowerCase() + name.slice(4) : name;
      return isMet(field, list, isNegative);
    });
  const any = (alternatives: readonly Fields[]) => alternatives.length === 0 || alternatives.some(all);
  const isOver = rule.endsAt !== null && rule.endsAt <= request.now;
  const when = rule.when.every(
    ({ key, values, notValues }) => isMet(key, values, false) && isMet(key, notValues, true),
  );
  return !isOver && any(rule.from) && any(rule.to) && when;
}

/** Who decides, and how: the first rule by its place. */
export function slowAuthorize(
  { deny, allow }: TextPolicies,
  request: TextRequest,
): authorize.AuthorizationDecision {
  const denying = deny.findIndex((rule) => slowMatch(rule, request, true));
  if (denying !== -1) return { kind: "deny", by: `x/deny[${denying}]` };
  if (allow === null) return { kind: "allow", by: null };
  const allowing = allow.findIndex((rule) => slowMatch(rule, request, false));
  return allowing === -1 ? { kind: "deny", by: null } : { kind: "allow", by: `x/allow[${allowing}]` };
}
