import type { Command } from "commander";
import { diffAnswer, resourceList } from "../../shared/wire/admin.ts";
import { parseDocuments, type ParsedResource } from "../../shared/wire/parse.ts";
import { resourceKey } from "../../shared/wire/resource.ts";
import { unifiedDiff } from "../diff.ts";
import { loadDocuments } from "../documents.ts";
import { EXIT, Failure } from "../failure.ts";
import type { Io } from "../io.ts";
import { collect, wholeNumber } from "../options.ts";
import { displayName, paint, plain, renderData } from "../output.ts";
import { openSession, type Session } from "../session.ts";
import { DEFAULT_NAMESPACE } from "../targets.ts";

interface Options {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
}

/** One resource on both sides; null where it does not exist. */
interface Pair {
  readonly name: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** Two things to compare and what they are called. */
interface Comparison {
  readonly from: string;
  readonly to: string;
  readonly pairs: readonly Pair[];
}

/** Adds `selvedge diff`. */
export function addDiff(program: Command, io: Io): void {
  program
    .command("diff")
    .summary("compare files with the mesh, or two revisions")
    .description("Exits with 0 when equal, 1 when different, and more than 1 when it could not compare.")
    .argument("[from]", "revision", wholeNumber)
    .argument("[to]", "revision; the current one unless given", wholeNumber)
    .option("-f, --filename <file>", "compare the mesh with these; may be repeated", collect)
    .option("-R, --recursive", "look into the folders of a folder")
    .action(async (from: number | undefined, to: number | undefined, options: Options, command: Command) => {
      const session = openSession(command, io);
      const comparison = await asTrouble(() => compare(session, { from, to }, options));
      if (print(io, comparison)) throw new Failure(EXIT.failure, []);
    });
}

/** As with diff(1), 1 means different: a failure to compare must be more. */
async function asTrouble<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Failure) || error.exitCode !== EXIT.failure) throw error;
    throw new Failure(EXIT.usage, error.lines, { cause: error });
  }
}

function compare(
  session: Session,
  revisions: { readonly from: number | undefined; readonly to: number | undefined },
  options: Options,
): Promise<Comparison> {
  const { from, to } = revisions;
  if (options.filename !== undefined && from === undefined)
    return compareFiles(session, options.filename, options);
  if (options.filename === undefined && from !== undefined) return compareRevisions(session, from, to);
  throw new Failure(EXIT.usage, ["Name what to compare: -f FILE with the mesh, or REVISION [REVISION]."]);
}

async function compareRevisions(session: Session, from: number, to: number | undefined): Promise<Comparison> {
  const query = { from: String(from), to: to?.toString() };
  const answer = await session.client.call({ path: "/diff", query, answer: diffAnswer });
  const pairs = answer.differences.map(({ ref, before, after }) => ({
    name: placeOf(ref),
    before: before === null ? null : meant(before),
    after: after === null ? null : meant(after),
  }));
  return { from: `revision ${answer.from}`, to: `revision ${answer.to}`, pairs };
}

async function compareFiles(
  session: Session,
  filename: readonly string[],
  options: Options,
): Promise<Comparison> {
  const documents = await loadDocuments(filename, options, session.io);
  // The mesh alone decides on private endpoints; here every valid document is compared.
  const parsed = parseDocuments(documents, {
    defaultNamespace: session.namespace ?? DEFAULT_NAMESPACE,
    allowPrivateEndpoints: true,
  });
  if (!parsed.ok) {
    const fields = parsed.problems.map(({ path, message }) => `  ${path}: ${message}`);
    throw new Failure(EXIT.failure, ["The files are not valid:", ...fields]);
  }
  const stored = await fetchStored(session, parsed.resources);
  const pairs = parsed.resources.map((resource) => ({
    name: placeOf(refOf(resource)),
    before: stored.get(resourceKey(refOf(resource))) ?? null,
    after: meant(resource),
  }));
  return { from: "mesh", to: "files", pairs };
}

/** What the mesh has of the kinds and namespaces of some resources: a list each, not a call per resource. */
async function fetchStored(
  session: Session,
  resources: readonly ParsedResource[],
): Promise<ReadonlyMap<string, unknown>> {
  const wanted = new Map(
    resources.map(({ kind, metadata: { namespace } }) => [
      `${kind}/${namespace}`,
      { kind, namespace: namespace === "" ? undefined : namespace },
    ]),
  );
  const lists = await Promise.all(
    [...wanted.values()].map((query) =>
      session.client.call({ path: "/resources", query, answer: resourceList }),
    ),
  );
  return new Map(lists.flatMap(({ items }) => items).map((item) => [resourceKey(refOf(item)), meant(item)]));
}

/** A resource without what only the registry writes. */
function meant(resource: ParsedResource): unknown {
  const { name, namespace, labels, annotations } = resource.metadata;
  return {
    apiVersion: resource.apiVersion,
    kind: resource.kind,
    metadata: { name, namespace, labels, annotations },
    spec: resource.spec,
  };
}

function refOf(resource: ParsedResource) {
  const { apiVersion, kind, metadata } = resource;
  return { apiVersion, kind, namespace: metadata.namespace, name: metadata.name };
}

function placeOf(ref: { apiVersion: string; kind: string; namespace: string; name: string }): string {
  return plain(ref.namespace === "" ? displayName(ref) : `${displayName(ref)} in ${ref.namespace}`);
}

/** Prints what differs; false when nothing does. */
function print(io: Io, comparison: Comparison): boolean {
  let isDifferent = false;
  for (const { name, before, after } of comparison.pairs) {
    const lines = unifiedDiff(textOf(before), textOf(after));
    if (lines.length === 0) continue;
    isDifferent = true;
    const head = [`--- ${name} (${comparison.from})`, `+++ ${name} (${comparison.to})`];
    io.out([...head, ...lines].map((line) => `${tint(io, plain(line))}\n`).join(""));
  }
  return isDifferent;
}

function textOf(value: unknown): string {
  return value === null ? "" : renderData("yaml", sortKeys(value));
}

/** The order of keys has no meaning, so that it makes no difference. */
function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortKeys(inner)]));
}

function tint(io: Io, line: string): string {
  if (line.startsWith("+")) return paint(io, "green", line);
  if (line.startsWith("-")) return paint(io, "red", line);
  return line.startsWith("@") ? paint(io, "cyan", line) : line;
}
