import type { Command } from "commander";
import { simulateAnswer, type Flip, type Simulation, type Verdict } from "../../shared/wire/simulation.ts";
import type { ResourceRef } from "../../shared/wire/resource.ts";
import { loadDocuments } from "../documents.ts";
import { ageText } from "../duration.ts";
import { EXIT, Failure } from "../failure.ts";
import type { Io } from "../io.ts";
import { collect, outputOption, wholeNumber } from "../options.ts";
import { paint, plain, renderData, renderTable } from "../output.ts";
import { openSession } from "../session.ts";
import { DEFAULT_NAMESPACE, parseTargets, refTo } from "../targets.ts";

interface Options {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
  readonly delete?: readonly string[];
  readonly prune?: boolean;
  readonly maxFlips?: number;
  readonly output: "table" | "json" | "yaml";
}

/** Adds `selvedge authz simulate`. */
export function addSimulate(authz: Command, io: Io): void {
  authz
    .command("simulate")
    .summary("tell which recorded calls would be decided otherwise if files were applied")
    .description(
      "Tries a change on the calls that hosts recorded in the last 24 hours. Nothing is changed. " +
        `-n is the namespace of documents that name none (${DEFAULT_NAMESPACE} unless given).`,
    )
    .option("-f, --filename <file>", "file, folder or - for standard input; may be repeated", collect)
    .option("-R, --recursive", "look into the folders of a folder")
    .option("--delete <kind/name>", "a resource to be deleted besides; may be repeated", collect)
    .option("--prune", "as if every other resource of the mesh were deleted, too")
    .option("--max-flips <n>", "exit with code 1 if more calls would be decided otherwise", wholeNumber)
    .addOption(outputOption(["table", "json", "yaml"]))
    .action(async (options: Options, command: Command) => {
      const { client, namespace } = openSession(command, io);
      const { filename, delete: names = [], prune, output, maxFlips } = options;
      if (filename === undefined && names.length === 0)
        throw new Failure(EXIT.usage, ["Say what to try: -f FILE or --delete KIND/NAME."]);
      const body = {
        documents: filename === undefined ? [] : await loadDocuments(filename, options, io),
        defaultNamespace: namespace ?? DEFAULT_NAMESPACE,
        refs: names.map((name) => refNamed(name, namespace)),
        prune,
      };
      const answer = await client.call({ method: "POST", path: "/simulate", body, answer: simulateAnswer });
      io.out(output === "table" ? render(io, answer) : renderData(output, answer));
      if (maxFlips !== undefined && answer.flips > maxFlips)
        throw new Failure(EXIT.failure, [
          `Of the recorded calls ${answer.flips} would be decided otherwise, and at most ${maxFlips} may be.`,
        ]);
    });
}

function refNamed(text: string, namespace: string | undefined): ResourceRef {
  const [target] = parseTargets([text]);
  const [name] = target?.names ?? [];
  if (target === undefined || name === undefined)
    throw new Failure(EXIT.usage, [`--delete: "${text}" is not KIND/NAME.`]);
  return refTo(target.info, name, namespace);
}

function render(io: Io, answer: Simulation): string {
  const table = answer.items.length === 0 ? "" : `${renderFlips(answer)}\n`;
  const { recorded, replayed, unchanged, flips, unknown, unrecorded, gone, omitted } = answer;
  const lines = [
    `Recorded:  ${recorded} distinct calls, ${replayed} of them to workloads whose policies would change`,
    `Unchanged: ${unchanged}`,
    `Flips:     ${paint(io, flips === 0 ? "green" : "red", String(flips))}${more(answer)}`,
    ...(unknown === 0
      ? []
      : [`Unknown:   ${unknown}, of which was not recorded: ${plain(unrecorded.join(", "))}`]),
    ...(gone === 0 ? [] : [`Gone:      ${gone}, to what is not there any more`]),
    ...(omitted === 0 ? [] : [`Left out:  ${omitted}, since there is too much to compare`]),
  ];
  return `${table}${lines.join("\n")}\n`;
}

function more({ flips, items }: Simulation): string {
  return flips > items.length ? `, of which ${items.length} are shown` : "";
}

function renderFlips({ items }: Simulation): string {
  const head = ["CALLER", "CALLEE", "METHOD", "PATH", "BEFORE", "AFTER", "CALLS", "LAST SEEN"];
  return renderTable(head, items.map(rowOf));
}

function rowOf({
  caller,
  kind,
  callee,
  method,
  path,
  before,
  after,
  calls,
  lastSeenAt,
}: Flip): readonly string[] {
  return [
    caller ?? "nobody",
    kind === "Service" ? callee : `${callee} (Endpoint)`,
    method,
    path,
    verdictText(before),
    verdictText(after),
    String(calls),
    `${ageText(Date.now() - lastSeenAt)} ago`,
  ];
}

function verdictText({ kind, by, code }: Verdict): string {
  const reason = by ?? code;
  if (reason === null) return kind;
  return kind === "asked" ? `asks ${reason}` : `${kind}: ${reason}`;
}
