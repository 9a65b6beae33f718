import { expect, test } from "vitest";
import * as meter from "../../shared/forward/meter.ts";
import type { CallLabels, CallReport } from "../../shared/wire/call-record.ts";
import { prepare } from "../../shared/forward/sync.ts";
import { meshKit } from "../fakes/mesh-kit.ts";
import { directory } from "../fakes/units.ts";
import { NO_COUNTS } from "../fakes/counts.ts";

function labels(changes: Partial<CallLabels> = {}): CallLabels {
  const base = { source: "shop/web", destination: "shop/reviews", version: "v1", route: "", method: "GET" };
  return { ...base, statusClass: "2xx", reason: "", ...changes };
}

function countsOf(reports: readonly CallReport[]): readonly number[] {
  return reports.map(({ series }) => series.reduce((sum, { count }) => sum + count, 0));
}

test("tells what configuration the host has, and whether it is known to be in force", async () => {
  const kit = meshKit({ units: { directory: directory() } });
  await kit.run(prepare(kit.mesh, ["directory"]));
  for (const ms of [100, 60_000]) {
    await kit.advance(ms);
    meter.record(kit.mesh, labels(), 1);
    await kit.advance(meter.FLUSH_AFTER_MS);
  }

  expect(kit.calls.reports.map(({ view }) => view)).toEqual([
    { version: 2, isCurrent: true },
    { version: 2, isCurrent: false },
  ]);
});

test("gathers calls of one series and reports them together", async () => {
  const kit = meshKit();
  for (const ms of [0.5, 3, 3, 20_000]) meter.record(kit.mesh, labels(), ms);

  await kit.advance(meter.FLUSH_AFTER_MS);

  expect(kit.calls.reports).toEqual([
    {
      reporter: "reporter-1",
      sequence: 1,
      series: [
        { labels: labels(), count: 4, sumMs: 20_006.5, buckets: [1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] },
      ],
      host: NO_COUNTS,
      view: { version: 0, isCurrent: false },
    },
  ]);
});

test("sends a report that was not acknowledged again as it was, and what came since after it", async () => {
  const kit = meshKit();
  const seen: CallReport[] = [];
  kit.control.report = async (report) => {
    seen.push(report);
    if (seen.length === 1) throw new Error("lost answer");
  };
  meter.record(kit.mesh, labels(), 1);
  await kit.advance(meter.FLUSH_AFTER_MS);
  meter.record(kit.mesh, labels(), 1);
  meter.record(kit.mesh, labels(), 1);
  await kit.advance(meter.FLUSH_EVERY_MS);
  meter.record(kit.mesh, labels(), 1);
  await kit.advance(meter.FLUSH_EVERY_MS);

  expect(seen.map(({ sequence }) => sequence)).toEqual([1, 1, 2]);
  expect(countsOf(seen)).toEqual([1, 1, 3]);
  expect(seen[1]).toEqual(seen[0]);
});

test.each([
  ["a single call is reported soon", [0], [200]],
  ["steady calls are reported once a second", [0, 300, 600, 900, 1_200, 1_500], [200, 1_200, 2_200]],
  ["after a second of quiet a call is reported soon again", [0, 1_200], [200, 1_400]],
  ["a call shortly before that waits no less", [0, 1_150], [200, 1_350]],
])("%s", async (_name, callsAt, expected) => {
  const kit = meshKit();
  const start = kit.now();
  const reportedAt: number[] = [];
  kit.control.report = async () => void reportedAt.push(kit.now() - start);

  for (const at of callsAt) {
    await kit.advance(start + at - kit.now());
    meter.record(kit.mesh, labels(), 1);
  }
  await kit.advance(3_000);

  expect(reportedAt).toEqual(expected);
});

test("a flush that died with its request does not end all flushing", async () => {
  const kit = meshKit();
  const { sleep } = kit.mesh.ports;
  const dead = { ...kit.mesh, ports: { ...kit.mesh.ports, sleep: () => new Promise<void>(() => undefined) } };
  meter.record(dead, labels(), 1);
  await kit.advance(6_000);

  meter.record({ ...kit.mesh, ports: { ...kit.mesh.ports, sleep } }, labels(), 1);
  await kit.advance(meter.FLUSH_AFTER_MS);

  expect(countsOf(kit.calls.reports)).toEqual([2]);
});

test("the number of series is bounded; what exceeds it is counted as other", async () => {
  const kit = meshKit();
  for (let n = 0; n < 3 * meter.MAX_SERIES; n++)
    meter.record(kit.mesh, labels({ destination: `shop/${n}` }), 1);

  await kit.advance(meter.FLUSH_AFTER_MS);

  const [report] = kit.calls.reports;
  expect(report?.series.length).toBe(meter.MAX_SERIES + 1);
  expect(report?.series.at(-1)).toMatchObject({
    labels: { destination: "other" },
    count: 2 * meter.MAX_SERIES,
  });
  expect(report?.host.overflowedCalls).toBe(2 * meter.MAX_SERIES);
});

test.each([
  ["GET", "GET"],
  ["get", "OTHER"],
  ["BREW", "OTHER"],
])("the method %s is labelled %s", (method, label) => {
  expect(meter.methodLabel(method)).toBe(label);
});
