/**
 * The mesh's metrics in Prometheus' text format.
 *
 * @module
 */
import { LATENCY_BOUNDS_MS, type CallSeries, type HostCounters } from "../../shared/wire/call-record.ts";
import type { MeshStatus } from "../../shared/wire/registry-rpc.ts";
import type { TelemetryTotals } from "../../shared/wire/telemetry-rpc.ts";
import { VERSION } from "../../shared/wire/version.ts";

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [suffix: string, labels: Labels, value: number];

/** Everything that Prometheus may scrape: calls, what hosts count about themselves, the configuration's size. */
export function renderMetrics(totals: TelemetryTotals, status: MeshStatus): string {
  return [
    family("selvedge_build_info", "gauge", "The release that runs.", [["", { version: VERSION }, 1]]),
    requests(totals.series),
    durations(totals.series),
    ...HOST_COUNTERS.map(([key, name, help]) => family(name, "counter", help, [["", {}, totals.host[key]]])),
    ...registryGauges(status),
  ].join("");
}

const HOST_COUNTERS: readonly (readonly [key: keyof HostCounters, name: string, help: string])[] = [
  ["staleCalls", "selvedge_stale_calls_total", "Calls served from a snapshot older than it should be."],
  ["syncs", "selvedge_syncs_total", "Snapshots that hosts have asked the registry for."],
  ["failedSyncs", "selvedge_failed_syncs_total", "Snapshots asked for in vain."],
  ["refusedSnapshots", "selvedge_refused_snapshots_total", "Snapshots refused as invalid or outdated."],
  ["retries", "selvedge_retries_total", "Tries beyond the first one of a call."],
  ["overflowedCalls", "selvedge_overflowed_calls_total", "Calls counted as `other`, at the cap of series."],
  ["droppedMirrors", "selvedge_dropped_mirrors_total", "Copies for mirrors that were not sent."],
  ["openedCircuits", "selvedge_opened_circuits_total", "Circuits of endpoints that hosts opened."],
  ["ejections", "selvedge_ejections_total", "Endpoints that outlier detection of hosts took out."],
  ["shadowedCalls", "selvedge_shadowed_calls_total", "Calls that limits in shadow mode would have refused."],
  ["auditedCalls", "selvedge_audited_calls_total", "Calls that policies with action AUDIT told of."],
  [
    "trialDenials",
    "selvedge_trial_denials_total",
    "Calls that authorization policies on trial would have denied.",
  ],
  ["longCalls", "selvedge_long_calls_total", "Calls that stayed open so long that hosts watched over them."],
  [
    "cutCalls",
    "selvedge_cut_calls_total",
    "Open calls that were cut: their callers are not let in any more.",
  ],
];

function registryGauges(status: MeshStatus): readonly string[] {
  const unhealthy = status.endpoints - status.healthyEndpoints;
  return [
    family("selvedge_revision", "gauge", "The revision in force.", [["", {}, status.revision]]),
    family("selvedge_snapshot_version", "gauge", "The version of the newest snapshot.", [
      ["", {}, status.version],
    ]),
    ...storeGauges(status),
    ...isolateGauges(status),
    family("selvedge_resources", "gauge", "Stored resources.", [["", {}, status.resources]]),
    family("selvedge_services", "gauge", "Services.", [["", {}, status.services]]),
    family("selvedge_endpoints", "gauge", "Endpoints; unhealthy are also draining and ejected ones.", [
      ["", { health: "healthy" }, status.healthyEndpoints],
      ["", { health: "unhealthy" }, unhealthy],
    ]),
    family("selvedge_ejected_endpoints", "gauge", "Endpoints that are out for all hosts.", ejected(status)),
  ];
}

function ejected(status: MeshStatus): readonly Sample[] {
  return (status.ejected ?? []).map(({ service, endpoints }): Sample => {
    const [namespace, name] = splitName(service);
    return ["", { destination_service: name, destination_namespace: namespace }, endpoints];
  });
}

/** Nothing where nothing is stored: an alert on what is absent says more than one on zeros. */
function storeGauges({ store }: MeshStatus): readonly string[] {
  if (store?.kind !== "on") return [];
  return [
    family(
      "selvedge_stored_snapshot_version",
      "gauge",
      "The version up to which all is stored outside the registry.",
      [["", {}, store.version]],
    ),
    family("selvedge_store_failures", "gauge", "Attempts to store in a row that failed.", [
      ["", {}, store.failures],
    ]),
  ];
}

function isolateGauges({ isolates }: MeshStatus): readonly string[] {
  if (isolates === undefined) return [];
  const { current, stale, oldestVersion } = isolates;
  const help = "Isolates that have reported within a minute, by whether their configuration was confirmed.";
  return [
    family("selvedge_isolates", "gauge", help, [
      ["", { state: "current" }, current],
      ["", { state: "stale" }, stale],
    ]),
    ...(oldestVersion === null
      ? []
      : [
          family("selvedge_oldest_isolate_version", "gauge", "The smallest version among them.", [
            ["", {}, oldestVersion],
          ]),
        ]),
  ];
}

function requests(series: readonly CallSeries[]): string {
  const samples = series.map(({ labels, count }): Sample => {
    const { route, method, statusClass, reason } = labels;
    return ["", { ...ends(labels), route, method, status_class: statusClass, reason }, count];
  });
  return family("selvedge_requests_total", "counter", "Calls, by how they ended.", samples);
}

/** Latency leaves out route, method and reason: every series costs sixteen lines. */
function durations(series: readonly CallSeries[]): string {
  const merged = new Map<string, { labels: Labels; count: number; sumMs: number; buckets: number[] }>();
  for (const { labels: full, count, sumMs, buckets } of series) {
    const labels = { ...ends(full), status_class: full.statusClass };
    const key = JSON.stringify(labels);
    const known = merged.get(key) ?? { labels, count: 0, sumMs: 0, buckets: buckets.map(() => 0) };
    known.count += count;
    known.sumMs += sumMs;
    buckets.forEach((more, index) => {
      known.buckets[index] = (known.buckets[index] ?? 0) + more;
    });
    merged.set(key, known);
  }
  const samples = [...merged.values()].flatMap(histogram);
  return family("selvedge_request_duration_seconds", "histogram", "How long calls took.", samples);
}

function histogram(merged: {
  labels: Labels;
  count: number;
  sumMs: number;
  buckets: readonly number[];
}): readonly Sample[] {
  const { labels, count, sumMs, buckets } = merged;
  let below = 0;
  const bounded = LATENCY_BOUNDS_MS.map((bound, index): Sample => {
    below += buckets[index] ?? 0;
    return ["_bucket", { ...labels, le: String(bound / 1000) }, below];
  });
  return [
    ...bounded,
    ["_bucket", { ...labels, le: "+Inf" }, count],
    ["_sum", labels, sumMs / 1000],
    ["_count", labels, count],
  ];
}

function ends(labels: CallSeries["labels"]): Labels {
  const [sourceNamespace, source] = splitName(labels.source);
  const [destinationNamespace, destination] = splitName(labels.destination);
  return {
    source_workload: source,
    source_namespace: sourceNamespace,
    destination_service: destination,
    destination_namespace: destinationNamespace,
    destination_version: labels.version,
  };
}

/** `namespace/name` in two; `unknown` and `other` have no namespace. */
function splitName(name: string): readonly [namespace: string, name: string] {
  const slash = name.indexOf("/");
  return slash < 0 ? ["", name] : [name.slice(0, slash), name.slice(slash + 1)];
}

function family(name: string, type: string, help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([suffix, labels, value]) => `${name}${suffix}${labelText(labels)} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
