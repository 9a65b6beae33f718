import { expect, test } from "vitest";
import type { CallLabels, CallSeries } from "../../shared/wire/call-record.ts";
import type { MeshStatus } from "../../shared/wire/registry-rpc.ts";
import { VERSION } from "../../shared/wire/version.ts";
import { renderMetrics } from "../../workers/admin/metrics.ts";

const STATUS: MeshStatus = {
  trustDomain: "selvedge.example",
  revision: 3,
  version: 9,
  resources: 12,
  services: 4,
  endpoints: 7,
  healthyEndpoints: 5,
  ejected: [{ service: "shop/reviews", endpoints: 2 }],
  store: { kind: "on", version: 8, checkedAt: 1, failures: 2 },
  isolates: { current: 6, stale: 1, oldestVersion: 4 },
};

const HOST = {
  staleCalls: 1,
  syncs: 2,
  failedSyncs: 3,
  refusedSnapshots: 4,
  retries: 5,
  overflowedCalls: 6,
  droppedMirrors: 7,
  openedCircuits: 11,
  ejections: 12,
  shadowedCalls: 8,
  auditedCalls: 9,
  trialDenials: 10,
  longCalls: 13,
  cutCalls: 14,
};

function series(labels: Partial<CallLabels>, bucket: number, count: number): CallSeries {
  const buckets = Array.from({ length: 14 }, (_, index) => (index === bucket ? count : 0));
  const base = { source: "shop/web", destination: "shop/reviews", version: "v1", route: "shop/all" };
  return {
    labels: { ...base, method: "GET", statusClass: "2xx", reason: "", ...labels },
    count,
    sumMs: count * 10,
    buckets,
  };
}

const ENDS =
  'source_workload="web",source_namespace="shop",' +
  'destination_service="reviews",destination_namespace="shop",destination_version="v1"';

test("every family, with calls of two methods in one histogram", () => {
  const calls = [series({}, 0, 2), series({ method: "POST", route: "" }, 13, 1)];
  const bounds = [
    "0.001",
    "0.0025",
    "0.005",
    "0.01",
    "0.025",
    "0.05",
    "0.1",
    "0.25",
    "0.5",
    "1",
    "2.5",
    "5",
    "10",
  ];
  const line = (suffix: string, labels: string, value: number): string =>
    `selvedge_request_duration_seconds${suffix}{${ENDS},status_class="2xx"${labels}} ${value}`;
  expect(renderMetrics({ series: calls, host: HOST }, STATUS).trimEnd().split("\n")).toEqual([
    "# HELP selvedge_build_info The release that runs.",
    "# TYPE selvedge_build_info gauge",
    `selvedge_build_info{version="${VERSION}"} 1`,
    "# HELP selvedge_requests_total Calls, by how they ended.",
    "# TYPE selvedge_requests_total counter",
    `selvedge_requests_total{${ENDS},route="shop/all",method="GET",status_class="2xx",reason=""} 2`,
    `selvedge_requests_total{${ENDS},route="",method="POST",status_class="2xx",reason=""} 1`,
    "# HELP selvedge_request_duration_seconds How long calls took.",
    "# TYPE selvedge_request_duration_seconds histogram",
    ...bounds.map((bound) => line("_bucket", `,le="${bound}"`, 2)),
    line("_bucket", ',le="+Inf"', 3),
    line("_sum", "", 0.03),
    line("_count", "", 3),
    "# HELP selvedge_stale_calls_total Calls served from a snapshot older than it should be.",
    "# TYPE selvedge_stale_calls_total counter",
    "selvedge_stale_calls_total 1",
    "# HELP selvedge_syncs_total Snapshots that hosts have asked the registry for.",
    "# TYPE selvedge_syncs_total counter",
    "selvedge_syncs_total 2",
    "# HELP selvedge_failed_syncs_total Snapshots asked for in vain.",
    "# TYPE selvedge_failed_syncs_total counter",
    "selvedge_failed_syncs_total 3",
    "# HELP selvedge_refused_snapshots_total Snapshots refused as invalid or outdated.",
    "# TYPE selvedge_refused_snapshots_total counter",
    "selvedge_refused_snapshots_total 4",
    "# HELP selvedge_retries_total Tries beyond the first one of a call.",
    "# TYPE selvedge_retries_total counter",
    "selvedge_retries_total 5",
    "# HELP selvedge_overflowed_calls_total Calls counted as `other`, at the cap of series.",
    "# TYPE selvedge_overflowed_calls_total counter",
    "selvedge_overflowed_calls_total 6",
    "# HELP selvedge_dropped_mirrors_total Copies for mirrors that were not sent.",
    "# TYPE selvedge_dropped_mirrors_total counter",
    "selvedge_dropped_mirrors_total 7",
    "# HELP selvedge_opened_circuits_total Circuits of endpoints that hosts opened.",
    "# TYPE selvedge_opened_circuits_total counter",
    "selvedge_opened_circuits_total 11",
    "# HELP selvedge_ejections_total Endpoints that outlier detection of hosts took out.",
    "# TYPE selvedge_ejections_total counter",
    "selvedge_ejections_total 12",
    "# HELP selvedge_shadowed_calls_total Calls that limits in shadow mode would have refused.",
    "# TYPE selvedge_shadowed_calls_total counter",
    "selvedge_shadowed_calls_total 8",
    "# HELP selvedge_audited_calls_total Calls that policies with action AUDIT told of.",
    "# TYPE selvedge_audited_calls_total counter",
    "selvedge_audited_calls_total 9",
    "# HELP selvedge_trial_denials_total Calls that authorization policies on trial would have denied.",
    "# TYPE selvedge_trial_denials_total counter",
    "selvedge_trial_denials_total 10",
    "# HELP selvedge_long_calls_total Calls that stayed open so long that hosts watched over them.",
    "# TYPE selvedge_long_calls_total counter",
    "selvedge_long_calls_total 13",
    "# HELP selvedge_cut_calls_total Open calls that were cut: their callers are not let in any more.",
    "# TYPE selvedge_cut_calls_total counter",
    "selvedge_cut_calls_total 14",
    "# HELP selvedge_revision The revision in force.",
    "# TYPE selvedge_revision gauge",
    "selvedge_revision 3",
    "# HELP selvedge_snapshot_version The version of the newest snapshot.",
    "# TYPE selvedge_snapshot_version gauge",
    "selvedge_snapshot_version 9",
    "# HELP selvedge_stored_snapshot_version The version up to which all is stored outside the registry.",
    "# TYPE selvedge_stored_snapshot_version gauge",
    "selvedge_stored_snapshot_version 8",
    "# HELP selvedge_store_failures Attempts to store in a row that failed.",
    "# TYPE selvedge_store_failures gauge",
    "selvedge_store_failures 2",
    "# HELP selvedge_isolates Isolates that have reported within a minute, by whether their configuration was confirmed.",
    "# TYPE selvedge_isolates gauge",
    'selvedge_isolates{state="current"} 6',
    'selvedge_isolates{state="stale"} 1',
    "# HELP selvedge_oldest_isolate_version The smallest version among them.",
    "# TYPE selvedge_oldest_isolate_version gauge",
    "selvedge_oldest_isolate_version 4",
    "# HELP selvedge_resources Stored resources.",
    "# TYPE selvedge_resources gauge",
    "selvedge_resources 12",
    "# HELP selvedge_services Services.",
    "# TYPE selvedge_services gauge",
    "selvedge_services 4",
    "# HELP selvedge_endpoints Endpoints; unhealthy are also draining and ejected ones.",
    "# TYPE selvedge_endpoints gauge",
    'selvedge_endpoints{health="healthy"} 5',
    'selvedge_endpoints{health="unhealthy"} 2',
    "# HELP selvedge_ejected_endpoints Endpoints that are out for all hosts.",
    "# TYPE selvedge_ejected_endpoints gauge",
    'selvedge_ejected_endpoints{destination_service="reviews",destination_namespace="shop"} 2',
  ]);
});

test.each([
  ["unknown", 'source_workload="unknown",source_namespace=""'],
  ["other", 'source_workload="other",source_namespace=""'],
  ['a"b\\c\nd/e', 'source_workload="e",source_namespace="a\\"b\\\\c\\nd"'],
])("the source %j", (source, text) => {
  expect(renderMetrics({ series: [series({ source }, 0, 1)], host: HOST }, STATUS)).toContain(`{${text},`);
});

test.each<[string, Pick<MeshStatus, "store">]>([
  ["is not stored", { store: { kind: "off", why: "no-secret" } }],
  ["is stored by a release that does not tell", {}],
])("nothing is told of a store where configuration %s", (_, { store }) => {
  const { store: _on, ...rest } = STATUS;
  const text = renderMetrics({ series: [], host: HOST }, store === undefined ? rest : { ...rest, store });
  expect(text).not.toMatch(/^selvedge_stor/m);
});

test("calls of different status classes have histograms of their own", () => {
  const calls = [series({}, 0, 1), series({ statusClass: "5xx" }, 0, 1)];
  const text = renderMetrics({ series: calls, host: HOST }, STATUS);
  expect(text.match(/^selvedge_request_duration_seconds_count/gm)).toHaveLength(2);
});
