/**
 * What a VirtualService's rule does with the requests that it wins.
 *
 * @module
 */
import type { Destination, HeaderEdits, StringMatch } from "../../wire/resources/istio-fields.ts";
import type { VirtualRule } from "../../wire/resources/virtual-service.ts";
import { translateRetryOn } from "../envoy-retry.ts";
import { formatDuration, parseGoDuration, toDuration } from "../time.ts";
import { present, some, type Report } from "../translation.ts";
import { serviceOf } from "./host.ts";
import type { PathKind } from "./http-match.ts";

/** A rule, where it stands, and who reports on it. */
export interface RuleOf {
  readonly rule: VirtualRule;
  /** `spec.http[0]`. */
  readonly path: string;
  readonly namespace: string;
  readonly report: Report;
}

/** All of a rule but its matches, for those of its matches whose paths are rewritten alike. */
export function translateAction(of: RuleOf, paths: PathKind): object {
  const { rule } = of;
  return present({
    filters: some(filtersOf(of, paths)),
    backendRefs: some(backendsOf(of)),
    respond:
      rule.directResponse === undefined
        ? undefined
        : { status: rule.directResponse.status, body: rule.directResponse.body?.string ?? "" },
    faults: faultsOf(rule),
    ...patienceOf(of),
  });
}

/** Istio: neither time-outs nor retries are in force where a fault is injected. */
function patienceOf({ rule, path, report }: RuleOf): { timeouts?: object; retry?: object } {
  if (faultsOf(rule) !== undefined) return { timeouts: { request: "0s" }, retry: { attempts: 0 } };
  const timeouts = timeoutsOf(rule);
  return {
    ...(timeouts === undefined ? {} : { timeouts }),
    ...(rule.retries === undefined
      ? {}
      : { retry: translateRetries(rule.retries, `${path}.retries`, report) }),
  };
}

/** Istio's, where `retryOn` is left out. */
const DEFAULT_CONDITIONS = "connect-failure,refused-stream,unavailable,cancelled";

/**
 * Istio retries whatever the method is, so that `anyMethod` says so; the
 * mesh's own default spares calls that are not idempotent.
 */
function translateRetries(
  retries: NonNullable<VirtualRule["retries"]>,
  path: string,
  report: Report,
): object {
  const { attempts, retryOn, backoff } = retries;
  if (attempts === 0) return { attempts };
  if (retries.retryRemoteLocalities === true) {
    report.note(
      `${path}.retryRemoteLocalities`,
      "has no effect: a retry leaves a locality once all of it was tried",
    );
  }
  const terms = (retryOn ?? DEFAULT_CONDITIONS).split(",").map((term) => term.trim());
  const { on, codes } = translateRetryOn(terms, `${path}.retryOn`, report);
  return present({
    attempts,
    on,
    codes: some(codes),
    backoff: backoff === undefined ? undefined : toDuration(backoff),
    anyMethod: true,
  });
}

/** A try can take no longer than the whole: Gateway API refuses what Istio lets pass. */
function timeoutsOf({ timeout, retries }: VirtualRule): object | undefined {
  const wholeMs = timeout === undefined ? undefined : parseGoDuration(timeout);
  const tryMs = retries?.perTryTimeout === undefined ? undefined : parseGoDuration(retries.perTryTimeout);
  if (wholeMs === undefined && tryMs === undefined) return undefined;
  const limitMs = wholeMs === undefined || wholeMs === 0 ? Infinity : wholeMs;
  return present({
    request: wholeMs === undefined ? undefined : formatDuration(wholeMs),
    backendRequest: tryMs === undefined ? undefined : formatDuration(Math.min(tryMs, limitMs)),
  });
}

function filtersOf(of: RuleOf, paths: PathKind): object[] {
  const { rule } = of;
  return [
    ...headerFilters(rule.headers, `${of.path}.headers`, of.report),
    ...rewriteOf(rule, paths),
    ...redirectOf(rule),
    ...mirrorsOf(rule, of.namespace),
    ...corsOf(of),
  ];
}

function headerFilters(edits: HeaderEdits | undefined, path: string, report: Report): object[] {
  const directions = [
    ["request", "RequestHeaderModifier", "requestHeaderModifier"],
    ["response", "ResponseHeaderModifier", "responseHeaderModifier"],
  ] as const;
  return directions.flatMap(([direction, type, field]) => {
    const edit = edits?.[direction];
    if (edit === undefined) return [];
    for (const [name, value] of [...Object.entries(edit.set), ...Object.entries(edit.add)]) {
      if (!value.includes("%")) continue;
      report.problem(`${path}.${direction}`, `${name}: not supported: values with % (Envoy's substitutions)`);
    }
    return [
      { type, [field]: present({ set: pairs(edit.set), add: pairs(edit.add), remove: some(edit.remove) }) },
    ];
  });
}

function pairs(edit: Readonly<Record<string, string>>): readonly object[] | undefined {
  return some(Object.entries(edit).map(([name, value]) => ({ name, value })));
}

function rewriteOf({ rewrite }: VirtualRule, paths: PathKind): object[] {
  if (rewrite === undefined) return [];
  const path =
    paths === "prefix"
      ? { type: "ReplacePrefixMatch", replacePrefixMatch: rewrite.uri }
      : { type: "ReplaceFullPath", replaceFullPath: rewrite.uri };
  const urlRewrite = present({
    hostname: rewrite.authority,
    path: rewrite.uri === undefined ? undefined : path,
  });
  return [{ type: "URLRewrite", urlRewrite }];
}

function redirectOf({ redirect }: VirtualRule): object[] {
  if (redirect === undefined) return [];
  const { uri, authority = "", scheme, redirectCode } = redirect;
  const [hostname = "", port] = authority.split(":");
  const requestRedirect = present({
    scheme,
    hostname: hostname === "" ? undefined : hostname,
    port: redirect.port ?? (port === undefined ? undefined : Number(port)),
    path: uri === undefined ? undefined : { type: "ReplaceFullPath", replaceFullPath: uri },
    statusCode: redirectCode,
  });
  return [{ type: "RequestRedirect", requestRedirect }];
}

/** Without a percentage all requests are mirrored. */
function mirrorsOf(rule: VirtualRule, namespace: string): object[] {
  const { mirror, mirrorPercentage, mirrorPercent, mirror_percent: oldPercent } = rule;
  const single = mirrorPercentage?.value ?? mirrorPercent ?? oldPercent ?? 100;
  const mirrors = [
    ...(mirror === undefined ? [] : [{ destination: mirror, percent: single }]),
    ...rule.mirrors.map((one) => ({ destination: one.destination, percent: one.percentage?.value ?? 100 })),
  ];
  return mirrors.map(({ destination, percent }) => ({
    type: "RequestMirror",
    requestMirror: { backendRef: backendOf(destination, namespace), ...shareOf(percent) },
  }));
}

/** Gateway API's percentages are whole. Istio's go down to a ten thousandth: Envoy's parts in a million. */
function shareOf(percent: number): object {
  if (percent === 100) return {};
  if (Number.isInteger(percent)) return { percent };
  return { fraction: { numerator: Math.round(percent * 10_000), denominator: 1_000_000 } };
}

function corsOf({ rule, path, report }: RuleOf): object[] {
  const spec = rule.corsPolicy;
  if (spec === undefined) return [];
  const exact = (match: StringMatch, index: number) => {
    if (match.exact !== undefined) return [match.exact];
    report.problem(
      `${path}.corsPolicy.allowOrigins[${index}]`,
      "not supported: prefix and regex; write exact, also with a wildcard such as https://*.example.com",
    );
    return [];
  };
  const cors = present({
    allowOrigins: some([...spec.allowOrigins.flatMap(exact), ...spec.allowOrigin]),
    allowMethods: some(spec.allowMethods),
    allowHeaders: some(spec.allowHeaders),
    exposeHeaders: some(spec.exposeHeaders),
    maxAge:
      spec.maxAge === undefined ? undefined : Math.max(1, Math.round(parseGoDuration(spec.maxAge) / 1000)),
    allowCredentials: spec.allowCredentials,
  });
  return [{ type: "CORS", cors }];
}

/** A single destination takes everything whatever its weight (Istio); beside others none means 0. */
function backendsOf({ rule, path, namespace, report }: RuleOf): object[] {
  return rule.route.map(({ destination, weight, headers }, index) => {
    const share = rule.route.length === 1 ? {} : { weight: weight ?? 0 };
    const filters = some(headerFilters(headers, `${path}.route[${index}].headers`, report));
    return present({ ...backendOf(destination, namespace), ...share, filters });
  });
}

/** A reference to what a destination names. */
export function backendOf({ host, subset, port }: Destination, namespace: string): object {
  const service = serviceOf(host, namespace);
  return present({
    kind: "Service",
    name: service.name,
    namespace: service.namespace === namespace ? undefined : service.namespace,
    port: port?.number,
    subset,
  });
}

/** A delay of nothing is none. */
function faultsOf({ fault }: VirtualRule): readonly object[] | undefined {
  if (fault === undefined) return undefined;
  const { delay, abort } = fault;
  const fixed = toDuration(delay?.fixedDelay ?? "0s");
  const status =
    abort?.grpcStatus === undefined ? { httpStatus: abort?.httpStatus } : { grpcStatus: abort.grpcStatus };
  const faults = present({
    delay: fixed === "0s" ? undefined : { fixed, percentage: percentOf(delay) },
    abort: abort === undefined ? undefined : present({ ...status, percentage: percentOf(abort) }),
  });
  return Object.keys(faults).length === 0 ? undefined : [faults];
}

/** Without a percentage nothing is injected (Istio). */
function percentOf(
  share:
    | { readonly percentage?: { readonly value: number } | undefined; readonly percent?: number | undefined }
    | undefined,
): number {
  return share?.percentage?.value ?? share?.percent ?? 0;
}
