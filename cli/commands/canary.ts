import { InvalidArgumentError, Option, type Command } from "commander";
import {
  applyAnswer,
  diffAnswer,
  meshStatus,
  resource,
  revisionList,
  topology,
} from "../../shared/wire/admin.ts";
import { resourceKey, type ResourceRef } from "../../shared/wire/resource.ts";
import { Failure } from "../failure.ts";
import type { Io } from "../io.ts";
import { outputOption } from "../options.ts";
import { paint, printChanges, renderData, renderTable, type Resource } from "../output.ts";
import { openSession, type Session } from "../session.ts";
import { change, needsHistory, parseSplit, type RouteSpec, type Wish } from "../split.ts";
import { splitRows, type Rate } from "../split-table.ts";
import { parseTargets, refTo, requireKind, resourcePath } from "../targets.ts";
import { parsePercent } from "../weights.ts";

/** Revisions of the route that are searched for the weights that others had. */
const HISTORY = 20;

/** Other changes of the mesh may come between reading and writing; more than a few in a row will not. */
const TRIES = 5;

interface Options {
  readonly to: string;
  readonly rule?: string;
  readonly weight?: number;
  readonly dryRun?: boolean;
}

/** Adds `selvedge canary`. */
export function addCanary(program: Command, io: Io): void {
  const canary = program
    .command("canary")
    .summary("release by weights: show, set, promote and abort a split between backends")
    .description(
      "Works on the weights of a route's backends. ROUTE is an HTTPRoute, or KIND/NAME. BACKEND is a service as " +
        "the route names it: reviews-v2, with :PORT if need be, /SUBSET for a subset, .NAMESPACE for another's.",
    );
  canary
    .command("status")
    .summary("show the weights of a route's backends, and the shares that were observed")
    .argument("<route>")
    .addOption(outputOption(["table", "json", "yaml"]))
    .action(async (route: string, { output }: { output: "table" | "json" | "yaml" }, command: Command) => {
      await showStatus(openSession(command, io), route, output);
    });
  addChange(canary, io, {
    name: "set",
    summary: "give a backend a share; the rest stays spread as it is",
  }).addOption(
    new Option("--weight <percent>", "0 to 100, with up to four decimals")
      .argParser(readPercent)
      .makeOptionMandatory(),
  );
  addChange(canary, io, { name: "promote", summary: "give a backend everything", percent: 100 });
  addChange(canary, io, {
    name: "abort",
    summary: "take everything from a backend; the others get what they had",
    percent: 0,
  });
}

function addChange(
  canary: Command,
  io: Io,
  { name, summary, percent }: { readonly name: string; readonly summary: string; readonly percent?: number },
): Command {
  return canary
    .command(name)
    .summary(summary)
    .argument("<route>")
    .requiredOption("--to <backend>", "the backend whose share is meant")
    .option("--rule <name>", "only this rule, by name or index; every rule that has the backend unless given")
    .option("--dry-run", "validate and tell what would change")
    .action(async (route: string, options: Options, command: Command) => {
      const share = percent ?? options.weight ?? 0;
      const wish = { backend: options.to, rule: options.rule, percent: share };
      await fulfil(openSession(command, io), { route, wish, isDryRun: options.dryRun === true });
    });
}

function readPercent(text: string): number {
  const percent = parsePercent(text);
  if (percent === null) throw new InvalidArgumentError("Write a percentage from 0 to 100.");
  return percent;
}

function routeRef(session: Session, text: string): ResourceRef {
  if (!text.includes("/")) return refTo(requireKind("HTTPRoute"), text, session.namespace);
  const [target] = parseTargets([text]);
  if (target === undefined) throw new Error("a pair is one target");
  return refTo(target.info, target.names[0] ?? "", session.namespace);
}

function read({ client }: Session, ref: ResourceRef): Promise<Resource> {
  return client.call({ path: resourcePath(ref), answer: resource });
}

// Status ---------------------------------------------------------------------

async function showStatus(session: Session, name: string, output: "table" | "json" | "yaml"): Promise<void> {
  const route = await read(session, routeRef(session, name));
  const calls = await session.client.call({ path: "/topology", answer: topology });
  const rows = splitRows(parseSplit(route.spec), route.metadata.namespace, ratesOf(calls.edges));
  const told = {
    route: `${route.metadata.namespace}/${route.metadata.name}`,
    windowMs: calls.windowMs,
    rows,
  };
  if (output !== "table") return session.io.out(renderData(output, told));
  const table = rows.map(({ rule, backend, weight, share, observed }) => [
    rule,
    backend,
    String(weight),
    percentText(share),
    observed === null ? "no calls" : percentText(observed),
  ]);
  session.io.out(renderTable(["RULE", "BACKEND", "WEIGHT", "SHARE", "OBSERVED"], table));
  if (rows.some(({ observed }) => observed !== null))
    session.io.err(`Observed: all calls to these backends in the last ${calls.windowMs / 1000} s.\n`);
}

function ratesOf(
  edges: readonly { destination: string; version: string; requestsPerSecond: number }[],
): readonly Rate[] {
  return edges.map(({ destination, version, requestsPerSecond }) => ({
    service: destination,
    version,
    perSecond: requestsPerSecond,
  }));
}

function percentText(share: number): string {
  return `${Number((share * 100).toFixed(2))}%`;
}

// Changes --------------------------------------------------------------------

interface Order {
  readonly route: string;
  readonly wish: Wish;
  readonly isDryRun: boolean;
}

/** Reads, changes and applies; again from the start when something else of the mesh changed meanwhile. */
async function fulfil(session: Session, { route, wish, isDryRun }: Order): Promise<void> {
  const ref = routeRef(session, route);
  let first: Resource | null = null;
  for (let left = TRIES; ; left--) {
    const { revision } = await session.client.call({ path: "/status", answer: meshStatus });
    const current = await read(session, ref);
    first ??= current;
    const spec = parseSplit(current.spec);
    const before = needsHistory(spec, wish) ? await historyOf(session, ref) : [];
    const changed = change(spec, wish, before);
    const document = documentOf(current, changed);
    const body = { documents: [document], ifRevision: revision, dryRun: isDryRun };
    try {
      const answer = await session.client.call({ method: "POST", path: "/apply", body, answer: applyAnswer });
      return tell(session, { spec, changed, namespace: current.metadata.namespace }, { answer, isDryRun });
    } catch (error) {
      const isSame = JSON.stringify(first.spec) === JSON.stringify(current.spec);
      if (!isConflict(error) || left <= 1 || !isSame) throw error;
    }
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof Failure && error.code === "config.revision";
}

function documentOf({ apiVersion, kind, metadata }: Resource, spec: RouteSpec): unknown {
  const { name, namespace, labels, annotations } = metadata;
  return { apiVersion, kind, metadata: { name, namespace, labels, annotations }, spec };
}

/** What the route was before each of its latest changes, the latest first. */
async function historyOf({ client }: Session, ref: ResourceRef): Promise<readonly RouteSpec[]> {
  const key = resourceKey(ref);
  const query = { limit: "1000" };
  const { items } = await client.call({ path: "/revisions", query, answer: revisionList });
  const revisions = items
    .filter(({ changes }) =>
      changes.some((one) => resourceKey(one.ref) === key && one.change === "configured"),
    )
    .slice(0, HISTORY);
  const specs: RouteSpec[] = [];
  for (const { revision } of revisions) {
    const range = { from: String(revision - 1), to: String(revision) };
    const { differences } = await client.call({ path: "/diff", query: range, answer: diffAnswer });
    const before = differences.find((one) => resourceKey(one.ref) === key)?.before;
    if (before !== null && before !== undefined) specs.push(parseSplit(before.spec));
  }
  return specs;
}

function tell(
  { io }: Session,
  { spec, changed, namespace }: { spec: RouteSpec; changed: RouteSpec; namespace: string },
  {
    answer,
    isDryRun,
  }: { answer: Parameters<typeof printChanges>[1] & { revision: number }; isDryRun: boolean },
): void {
  const before = splitRows(spec, namespace, []);
  const rows = splitRows(changed, namespace, []).map(({ rule, backend, weight, share }, index) => {
    const was = before[index];
    return [
      rule,
      backend,
      was === undefined ? "" : percentText(was.share),
      percentText(share),
      String(weight),
    ];
  });
  printChanges(io, answer, isDryRun ? " (dry run)" : "");
  io.out(renderTable(["RULE", "BACKEND", "WAS", "IS", "WEIGHT"], rows));
  if (!isDryRun) io.err(`${paint(io, "cyan", `Revision ${answer.revision}`)} is in force.\n`);
}
