/** Random AuthorizationPolicies as a person would write them, and requests. */
import type { EndUser } from "../../shared/engine/end-user.ts";
import { oneOf, severalOf } from "../engine/random.ts";

export type Fields = Readonly<Record<string, readonly string[]>>;

export interface TextRule {
  readonly from: readonly Fields[];
  readonly to: readonly Fields[];
  readonly when: readonly {
    readonly key: string;
    readonly values?: readonly string[];
    readonly notValues?: readonly string[];
  }[];
  readonly endsAt: number | null;
}

export interface TextRequest {
  readonly caller: { readonly namespace: string; readonly serviceAccount: string } | null;
  readonly host: string;
  readonly port: number;
  readonly method: string;
  readonly path: string;
  readonly header: string | null;
  readonly source: string | null;
  readonly remote: string | null;
  readonly isAddressKnown: boolean;
  readonly user: EndUser | null;
  readonly now: number;
}

export interface TextPolicies {
  readonly deny: readonly TextRule[];
  readonly allow: readonly TextRule[] | null;
}

/** The mesh's trust domain. */
export const DOMAIN = "cluster.local";
const NAMES = ["a", "ab", "b"];
const PATHS = ["/", "/a", "/b", "/a/b", "/ab", "/b/a", "/a/b/c"];
const TEMPLATES = ["/{*}", "/a/{*}", "/{*}/b", "/a/{**}", "/{**}/b", "/{*}/{**}/c", "/a/{*}/c"];
const HOSTS = ["a.test", "b.a.test", "a.b"];
const METHODS = ["GET", "POST"];
const PORTS = ["80", "443"];
const BLOCKS = ["10.0.0.0/8", "10.1.2.3", "10.1.0.0/16", "2001:db8::/32", "0.0.0.0/0", "192.0.2.128/25"];
const ADDRESSES = ["10.1.2.3", "10.9.9.9", "192.0.2.1", "192.0.2.200", "2001:db8::1", "2001:db9::1"];
const ISSUERS = ["iss", "issue"];
const SUBJECTS = ["sub", "subject", ""];

type Random = () => number;

function text(random: Random, values: readonly string[]): string {
  const value = oneOf(random, values);
  const at = Math.floor(random() * (value.length + 1));
  return oneOf(random, [value, value, value, `${value.slice(0, at)}*`, `*${value.slice(at)}`, "*"]);
}

function maybe(random: Random, share: number, name: string, draw: () => string): Fields {
  const lists = [name, `not${name.charAt(0).toUpperCase()}${name.slice(1)}`];
  return Object.fromEntries(
    lists.filter(() => random() < share).map((field) => [field, severalOf(random, 1, 2, draw)]),
  );
}

const PRINCIPALS = NAMES.flatMap((namespace) => NAMES.map((name) => `${DOMAIN}/ns/${namespace}/sa/${name}`));

function drawUser(random: Random): string {
  return oneOf(random, [
    "*",
    "iss*",
    "*sub",
    "iss/*",
    "*/sub",
    "iss/sub",
    "issue/sub*",
    "is*/sub",
    "iss/*ject",
  ]);
}

function drawCondition(random: Random): TextRule["when"][number] {
  const keys: Readonly<Record<string, () => string>> = {
    "source.ip": () => oneOf(random, BLOCKS),
    "remote.ip": () => oneOf(random, BLOCKS),
    "source.principal": () => text(random, PRINCIPALS),
    "source.namespace": () => text(random, NAMES),
    "destination.port": () => oneOf(random, PORTS),
    "destination.ip": () => oneOf(random, BLOCKS),
    "connection.sni": () => text(random, HOSTS),
    "request.headers[x-a]": () => text(random, NAMES),
    "request.auth.principal": () => drawUser(random),
    "request.auth.audiences": () => text(random, NAMES),
    "request.auth.claims[groups]": () => text(random, NAMES),
  };
  const [key, draw] = oneOf(random, Object.entries(keys));
  const list = (): string[] => severalOf(random, 1, 2, draw);
  const way = random();
  if (way < 0.5) return { key, values: list() };
  return way < 0.75 ? { key, notValues: list() } : { key, values: list(), notValues: list() };
}

function drawRule(random: Random, mayEnd: boolean): TextRule {
  const from = () => ({
    ...maybe(random, 0.3, "principals", () => text(random, PRINCIPALS)),
    ...maybe(random, 0.15, "namespaces", () => text(random, NAMES)),
    ...maybe(random, 0.1, "trustDomains", () => text(random, [DOMAIN])),
    ...maybe(random, 0.1, "requestPrincipals", () => drawUser(random)),
    ...maybe(random, 0.1, "ipBlocks", () => oneOf(random, BLOCKS)),
    ...maybe(random, 0.1, "remoteIpBlocks", () => oneOf(random, BLOCKS)),
  });
  const to = () => ({
    ...maybe(random, 0.2, "hosts", () => text(random, HOSTS)),
    ...maybe(random, 0.2, "ports", () => oneOf(random, PORTS)),
    ...maybe(random, 0.2, "methods", () => text(random, METHODS)),
    ...maybe(random, 0.3, "paths", () => (random() < 0.3 ? oneOf(random, TEMPLATES) : text(random, PATHS))),
  });
  return {
    from: severalOf(random, 0, 2, from).filter(saysSomething),
    to: severalOf(random, 0, 2, to).filter(saysSomething),
    when: random() < 0.6 ? [] : severalOf(random, 1, 2, () => drawCondition(random)),
    endsAt: mayEnd && random() < 0.1 ? oneOf(random, [50, 100, 150]) : null,
  };
}

/** A source or an operation without fields is refused. */
function saysSomething(fields: Fields): boolean {
  return Object.keys(fields).length > 0;
}

/** Now and then so many rules that they are found by an index. */
function drawRules(random: Random, most: number, mayEnd: boolean): TextRule[] {
  const count = random() < 0.15 ? 40 : most;
  return severalOf(random, 0, count, () => drawRule(random, mayEnd));
}

/** Draws the policies of one workload. */
export function drawPolicies(random: Random): TextPolicies {
  return {
    deny: drawRules(random, 2, false),
    allow: random() < 0.2 ? null : drawRules(random, 3, true),
  };
}

/** Draws a request that some of them are about. */
export function drawRequest(random: Random): TextRequest {
  const groups = oneOf(random, [null, "a", ["a", "b"], ["ab", 1], 7]);
  const claims = groups === null ? {} : { groups };
  const user = {
    issuer: oneOf(random, ISSUERS),
    subject: oneOf(random, SUBJECTS),
    audiences: severalOf(random, 0, 2, () => oneOf(random, NAMES)),
    presenter: null,
    claims,
  };
  return {
    caller: random() < 0.2 ? null : { namespace: oneOf(random, NAMES), serviceAccount: oneOf(random, NAMES) },
    host: oneOf(random, HOSTS),
    port: oneOf(random, [80, 443, 8080]),
    method: oneOf(random, METHODS),
    path: oneOf(random, PATHS),
    header: oneOf(random, [null, "a", "ab", ""]),
    source: oneOf(random, [null, ...ADDRESSES]),
    remote: oneOf(random, [null, ...ADDRESSES]),
    isAddressKnown: random() < 0.8,
    user: random() < 0.3 ? null : user,
    now: 100,
  };
}
