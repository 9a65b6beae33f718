/**
 * How `routes explain` prints what it was told: what happens first, then who
 * decided, then why the others did not.
 *
 * @module
 */
import type { ExplainedBackend, ExplainedRule, Explanation } from "../shared/wire/explain.ts";
import type { Io } from "./io.ts";
import { paint, plain, renderTable } from "./output.ts";

/** The whole text. */
export function renderExplanation(io: Io, told: Explanation): string {
  const sections = [
    renderHead(io, told),
    renderListeners(told),
    renderRules(told),
    renderBackends(told),
    renderFailover(told),
    renderPolicies(told),
  ];
  return sections.filter((section) => section !== "").join("\n");
}

function renderHead(
  io: Io,
  { request, caller, entrance, outcome, version, sticky, priority, faults, mirrors }: Explanation,
): string {
  const { method, host, port, path } = request;
  const rows = [
    ["Request", `${method} ${host}:${port}${path}`],
    ["Caller", caller ?? "nobody in particular, from outside"],
    ["Goes to", entrance === null ? "nothing in the mesh" : entranceText(entrance)],
    ["Outcome", outcomeText(outcome)],
    ["Sticky", sticky === null ? "" : stickyText(sticky)],
    ["Priority", priority ?? ""],
    ["Faults", faults.join(", ")],
    ["Mirrors", mirrors.map(({ service, share }) => `${service} ${percent(share)}`).join(", ")],
    ["Version", String(version)],
  ];
  const isRefused = outcome.kind === "refuse";
  return rows
    .filter(([, value]) => value !== "")
    .map(([name = "", value = ""]) => {
      const text = plain(value);
      return `${`${name}:`.padEnd(10)}${name === "Outcome" ? paint(io, isRefused ? "red" : "green", text) : text}\n`;
    })
    .join("");
}

function stickyText({ by, backend }: NonNullable<Explanation["sticky"]>): string {
  return backend === null ? `by ${by}, which the request lacks: chance decides` : `by ${by}: ${backend}`;
}

function entranceText(entrance: NonNullable<Explanation["entrance"]>): string {
  return entrance.kind === "service"
    ? `service ${entrance.service}, port ${entrance.port}`
    : `listener ${entrance.listener}, host ${entrance.domain ?? "without routes"}`;
}

function outcomeText(outcome: Explanation["outcome"]): string {
  switch (outcome.kind) {
    case "forward":
      return `forwarded, as ${outcome.host}${outcome.path}`;
    case "redirect":
      return `redirected, ${outcome.status} ${outcome.location}`;
    case "respond":
      return `answered by the route, ${outcome.status}`;
    case "refuse":
      return `refused, ${outcome.status} ${outcome.code}: ${outcome.detail}`;
  }
}

const LISTENER_VERDICTS = {
  decides: "decides",
  host: "is for other hosts",
  address: "is at another address",
  other: "another listener fits better",
};

function renderListeners({ listeners }: Explanation): string {
  if (listeners.length === 0) return "";
  const rows = listeners.map(({ listener, scheme, port, hostname, verdict }) => [
    mark(verdict),
    listener,
    `${scheme}:${port}`,
    hostname,
    LISTENER_VERDICTS[verdict],
  ]);
  return renderTable(["", "LISTENER", "PORT", "HOSTNAME", "VERDICT"], rows);
}

const RULE_VERDICTS = {
  decides: "decides",
  later: "matches too, but comes later",
  path: "the path does not match",
  method: "the method does not match",
  headers: "a header does not match",
  query: "a query parameter does not match",
  callers: "is for other callers",
};

function renderRules({ rules, omittedRules }: Explanation): string {
  if (rules.length === 0) return "";
  const rows = rules.map((rule) => [
    mark(rule.verdict),
    rule.route,
    rule.rule,
    matchText(rule),
    RULE_VERDICTS[rule.verdict],
  ]);
  const more = omittedRules === 0 ? "" : `and ${omittedRules} more rules, for other paths\n`;
  return renderTable(["", "ROUTE", "RULE", "MATCH", "VERDICT"], rows) + more;
}

function mark(verdict: string): string {
  return verdict === "decides" ? "*" : "";
}

const PATH_FORMS = { exact: "", prefix: "", "text-prefix": "", regex: "~" };
const VALUE_SIGNS = { exact: "=", prefix: "^=", suffix: "$=", contains: "*=", present: "", regex: "~=" };

/** `GET /reviews/* end-user=jason ?debug=1`, in the order in which the parts are tried. */
function matchText({ path, method, headers, query, isForSomeCallers }: ExplainedRule): string {
  const star =
    path.kind === "prefix" ? (path.value === "/" ? "*" : "/*") : path.kind === "text-prefix" ? "*" : "";
  return [
    ...(method === null ? [] : [method]),
    `${PATH_FORMS[path.kind]}${path.value}${star}`,
    ...headers.map(valueText),
    ...query.map((value) => `?${valueText(value)}`),
    ...(isForSomeCallers ? ["some callers"] : []),
  ].join(" ");
}

function valueText({ name, kind, value, isInverted }: ExplainedRule["headers"][number]): string {
  return `${isInverted === true ? "!" : ""}${name}${VALUE_SIGNS[kind]}${value}`;
}

function renderBackends({ backends }: Explanation): string {
  if (backends.length === 0) return "";
  const rows = backends.map((backend) => [
    backend.port === null ? backend.service : `${backend.service}:${backend.port}`,
    backend.subset ?? "",
    String(backend.weight),
    percent(backend.share),
    backend.invalid ??
      (backend.redirect === null ? usableText(backend) : `redirected to ${backend.redirect}`),
    backend.loadBalancing,
    backend.timeoutMs === null ? "" : `${backend.timeoutMs}ms`,
    backend.invalid === null ? String(backend.retries) : "",
  ]);
  const head = ["BACKEND", "SUBSET", "WEIGHT", "SHARE", "USABLE", "BALANCING", "TIMEOUT", "RETRIES"];
  return renderTable(head, rows);
}

function renderFailover({ backends }: Explanation): string {
  const rows = backends.flatMap((backend) =>
    (backend.failover ?? []).map(({ service, subset, usable, endpoints, isMissing }) => [
      backend.subset === null ? backend.service : `${backend.service}/${backend.subset}`,
      service,
      subset ?? "",
      isMissing ? "does not exist" : `${usable}/${endpoints}`,
    ]),
  );
  return rows.length === 0 ? "" : renderTable(["FAILS OVER", "TO", "SUBSET", "USABLE"], rows);
}

function usableText({ usable, endpoints }: ExplainedBackend): string {
  return `${usable}/${endpoints}`;
}

function renderPolicies({ backends, gatewayAuthorization }: Explanation): string {
  const rows = [
    ...(gatewayAuthorization === null
      ? []
      : [["the gateway", "", decisionText(gatewayAuthorization), "", ""]]),
    ...backends.flatMap(policyRows),
  ];
  return rows.length === 0 ? "" : renderTable(["PROTECTED", "MTLS", "CALL", "LIMITS", "FAULTS"], rows);
}

function policyRows({ service, policies }: ExplainedBackend): readonly (readonly string[])[] {
  return policies.map(({ endpoints, peer, authorization, limits, faults }) => [
    `${service} (${endpoints} ${endpoints === 1 ? "endpoint" : "endpoints"})`,
    peer,
    decisionText(authorization),
    limits.join(","),
    faults.join(","),
  ]);
}

function decisionText({
  isAllowed,
  by,
}: {
  readonly isAllowed: boolean;
  readonly by: string | null;
}): string {
  if (by !== null) return `${isAllowed ? "allowed" : "denied"} by ${by}`;
  return isAllowed ? "allowed: no policy speaks against it" : "denied: no policy allows it";
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(2))}%`;
}
