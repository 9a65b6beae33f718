/**
 * AuthorizationPolicies, as the engine decides them.
 *
 * @module
 */
import type { Condition, UserMatch } from "../engine/access-condition.ts";
import { parseAddressBlock } from "../engine/address-block.ts";
import type {
  Authorization,
  AuthorizationProvider,
  AuthorizationRule,
  OperationMatch,
  PathPattern,
  SourceMatch,
} from "../engine/authorize.ts";
import * as match from "../engine/match.ts";
import { isTemplate } from "../engine/path-template.ts";
import { inOrder as intentionsInOrder } from "../front-doors/consul/intentions.ts";
import { parseAttribute } from "../wire/attribute.ts";
import { canonicalPathMatch, canonicalTemplate } from "../wire/path-match.ts";
import type { Resource } from "../wire/resource.ts";
import type {
  AuthorizationPolicySpec,
  ConditionSpec,
  OperationSpec,
  SourceSpec,
} from "../wire/resources/authorization-policy.ts";
import { scopeOf, type IntentionPolicy, type Policy } from "./policy.ts";

/** An AuthorizationPolicy, its rules compiled. */
export interface AuthorizationPolicy extends Policy {
  readonly action: "ALLOW" | "DENY" | "AUDIT" | "CUSTOM";
  /** Who is asked, with `CUSTOM`. */
  readonly provider: string | null;
  /** What it would decide is told, and nothing else. */
  readonly isTrial: boolean;
  readonly rules: readonly AuthorizationRule[];
}

/** Istio's annotation of policies that are tried out. */
const DRY_RUN = "istio.io/dry-run";

/** `principals` that name Istio's placeholder trust domain mean the mesh's own. */
export function compileAuthorization(
  { metadata, spec }: Resource<AuthorizationPolicySpec>,
  trustDomain: string,
): AuthorizationPolicy {
  const { namespace, name, annotations } = metadata;
  const home = { namespace, trustDomain };
  const rules = spec.rules.map((rule, index): AuthorizationRule => ({
    policy: `${namespace}/${name}`,
    rule: index,
    from: (rule.from ?? []).map(({ source }) => compileSource(source, home)),
    to: (rule.to ?? []).map(({ operation }) => compileOperation(operation)),
    ...(rule.when === undefined
      ? {}
      : { when: rule.when.map((condition) => compileCondition(condition, home)) }),
    ...(rule.notAfter === undefined ? {} : { endsAt: endOf(rule.notAfter) }),
  }));
  return {
    namespace,
    name,
    scope: scopeOf(spec),
    action: spec.action,
    provider: spec.provider?.name ?? null,
    isTrial: annotations[DRY_RUN] === "true",
    rules,
  };
}

/** Stored specs have been parsed: an end that is no time was never accepted, and is over. */
function endOf(text: string): number {
  const end = Date.parse(text);
  return Number.isNaN(end) ? 0 : end;
}

/** Where a policy stands, and in which mesh. */
interface Home {
  readonly namespace: string;
  readonly trustDomain: string;
}

const STAND_IN = "cluster.local";

function compileSource(source: SourceSpec, home: Home): SourceMatch {
  const principals = (list?: readonly string[]) => list?.map((text) => principalMatch(text, home));
  const accounts = (list?: readonly string[]) => list?.map((text) => accountMatch(text, home));
  const also = compileAlso(source, home);
  return present({
    principals: principals(source.principals) ?? accounts(source.serviceAccounts),
    notPrincipals: principals(source.notPrincipals) ?? accounts(source.notServiceAccounts),
    namespaces: source.namespaces?.map(match.parseStringMatch),
    notNamespaces: source.notNamespaces?.map(match.parseStringMatch),
    also: also.length === 0 ? undefined : also,
  });
}

function principalMatch(text: string, { trustDomain }: Home): match.StringMatch {
  return match.parseStringMatch(
    text.startsWith(`${STAND_IN}/`) ? `${trustDomain}${text.slice(STAND_IN.length)}` : text,
  );
}

/** Of any trust domain, as in Istio: no segment of a principal holds a slash, so that its end names the account. */
function accountMatch(text: string, { namespace }: Home): match.StringMatch {
  const [first = "", second] = text.split("/");
  const account = second === undefined ? `${namespace}/sa/${first}` : `${first}/sa/${second}`;
  return { kind: "suffix", value: `/ns/${account}` };
}

function compileAlso(source: SourceSpec, { trustDomain }: Home): Condition[] {
  const domain = (text: string) => match.parseStringMatch(text === STAND_IN ? trustDomain : text);
  return [
    ...listed("trust-domain", source.trustDomains?.map(domain), source.notTrustDomains?.map(domain)),
    ...listed("user", source.requestPrincipals?.map(userMatch), source.notRequestPrincipals?.map(userMatch)),
    ...listed("source-address", blocks(source.ipBlocks), blocks(source.notIpBlocks)),
    ...listed("remote-address", blocks(source.remoteIpBlocks), blocks(source.notRemoteIpBlocks)),
  ];
}

function blocks(list: readonly string[] | undefined) {
  return list?.flatMap((text) => parseAddressBlock(text) ?? []);
}

/** A condition of a kind, if anything is said of it. */
function listed<Kind extends string, Value>(
  kind: Kind,
  values?: readonly Value[],
  notValues?: readonly Value[],
) {
  return values === undefined && notValues === undefined ? [] : [{ kind, ...present({ values, notValues }) }];
}

/** `issuer/subject`, cut at the last slash; a pattern without one is of the half that its star leaves open. */
export function userMatch(text: string): UserMatch {
  const slash = text.lastIndexOf("/");
  const halves =
    slash !== -1
      ? [text.slice(0, slash), text.slice(slash + 1)]
      : text.startsWith("*")
        ? ["*", text]
        : [text, "*"];
  const [issuer = "", subject = ""] = halves;
  return { issuer: match.parseStringMatch(issuer), subject: match.parseStringMatch(subject) };
}

/** Compiles what is called. */
export function compileOperation(operation: OperationSpec): OperationMatch {
  return present({
    hosts: operation.hosts?.map(parseHostMatch),
    notHosts: operation.notHosts?.map(parseHostMatch),
    ports: operation.ports?.map(Number),
    notPorts: operation.notPorts?.map(Number),
    methods: operation.methods?.map(match.parseStringMatch),
    notMethods: operation.notMethods?.map(match.parseStringMatch),
    paths: operation.paths?.map(parsePathPattern),
    notPaths: operation.notPaths?.map(parsePathPattern),
  });
}

function parseHostMatch(text: string): match.StringMatch {
  return match.parseStringMatch(text.toLowerCase());
}

/** What could never match has been refused; read as it stands it still matches nothing. */
function parsePathPattern(text: string): PathPattern {
  const pattern = isTemplate(text) ? canonicalTemplate(text) : canonicalPathMatch(text);
  return pattern ?? match.parseStringMatch(text);
}

function compileCondition({ key, values, notValues }: ConditionSpec, home: Home): Condition {
  const attribute = parseAttribute(key);
  const texts = (parse: (text: string) => match.StringMatch) =>
    present({ values: values?.map(parse), notValues: notValues?.map(parse) });
  switch (attribute?.kind) {
    case "header":
      return { kind: "header", name: attribute.name, ...texts(match.parseHeaderMatch) };
    case "claim":
      return { kind: "claim", path: attribute.path, ...texts(match.parseStringMatch) };
    case "text":
      return {
        kind: attribute.of,
        ...texts(
          attribute.of === "principal" ? (text) => principalMatch(text, home) : match.parseStringMatch,
        ),
      };
    case "service-account":
      return { kind: "principal", ...texts((text) => accountMatch(text, home)) };
    case "user":
      return {
        kind: "user",
        ...present({ values: values?.map(userMatch), notValues: notValues?.map(userMatch) }),
      };
    case "address":
      return { kind: attribute.of, ...present({ values: blocks(values), notValues: blocks(notValues) }) };
    case "port":
      return { kind: "port", ...present({ values: values?.map(Number), notValues: notValues?.map(Number) }) };
    default:
      return { kind: "unknown" };
  }
}

/** The fields that have a value: compiled data is JSON, which knows no undefined. */
function present<Fields extends object>(
  fields: Fields,
): { [Key in keyof Fields]?: Exclude<Fields[Key], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Key in keyof Fields]?: Exclude<Fields[Key], undefined> };
}

/** What is pooled for one workload or gateway. */
export interface Pooled {
  readonly policies: readonly AuthorizationPolicy[];
  readonly intending: readonly IntentionPolicy[];
  /** Of the mesh, by name. */
  readonly providers: ReadonlyMap<string, AuthorizationProvider>;
}

/**
 * Pools policies as Istio does: no priority among them, the rules of each
 * action in one list. Intentions have their own order.
 */
export function pool({ policies, intending, providers }: Pooled): Authorization {
  const intentions = intentionsInOrder(intending.flatMap(({ ranked }) => ranked));
  const inForce = policies.filter(({ isTrial }) => !isTrial);
  const tried = policies.filter(({ isTrial }) => isTrial);
  const audit = rulesOf(inForce, "AUDIT");
  const custom = [...Map.groupBy(of(inForce, "CUSTOM"), ({ provider }) => provider ?? "")].map(
    ([name, own]) => ({
      provider: providers.get(name) ?? null,
      rules: own.flatMap(({ rules }) => rules),
    }),
  );
  return {
    ...decisive(inForce),
    ...(intentions.length === 0 ? {} : { intentions }),
    ...(custom.length === 0 ? {} : { custom }),
    ...(audit.length === 0 ? {} : { audit }),
    ...(tried.length === 0 ? {} : { trial: decisive(tried) }),
    ...(policies.some(({ rules }) => rules.some(readsAddresses)) ? { readsAddresses: true as const } : {}),
  };
}

function of(
  policies: readonly AuthorizationPolicy[],
  wanted: AuthorizationPolicy["action"],
): AuthorizationPolicy[] {
  return policies.filter(({ action }) => action === wanted);
}

function rulesOf(
  policies: readonly AuthorizationPolicy[],
  wanted: AuthorizationPolicy["action"],
): AuthorizationRule[] {
  return of(policies, wanted).flatMap(({ rules }) => rules);
}

function decisive(policies: readonly AuthorizationPolicy[]): Pick<Authorization, "deny" | "allow"> {
  const isClosed = of(policies, "ALLOW").length > 0;
  return { deny: rulesOf(policies, "DENY"), allow: isClosed ? rulesOf(policies, "ALLOW") : null };
}

function readsAddresses({ from, when = [] }: AuthorizationRule): boolean {
  const conditions = [...from.flatMap(({ also = [] }) => also), ...when];
  return conditions.some(({ kind }) => kind === "source-address" || kind === "remote-address");
}
