import type { Command } from "commander";
import { checkAnswer, type CheckAnswer, type CheckedDecision } from "../../shared/wire/authz-check.ts";
import { EXIT, Failure } from "../failure.ts";
import type { Io } from "../io.ts";
import { addSimulate } from "./simulate.ts";
import { collect, outputOption, parseHeader, wholeNumber } from "../options.ts";
import { paint, plain, renderData, renderTable } from "../output.ts";
import { openSession } from "../session.ts";

interface Options {
  readonly from?: string;
  readonly to: string;
  readonly header?: readonly string[];
  readonly userToken?: string;
  readonly host?: string;
  readonly port?: number;
  readonly address?: string;
  readonly output: "table" | "json" | "yaml";
}

type Render = (io: Io, answer: CheckAnswer) => string;

/** Adds `selvedge authz`. */
export function addAuthz(program: Command, io: Io): void {
  const authz = program.command("authz").summary("look into who may call whom");
  addQuestion(authz, io, {
    name: "check",
    summary: "tell whether a caller may make a call; the exit code is 1 if not",
    render: renderVerdicts,
    tellsByCode: true,
  });
  addQuestion(authz, io, {
    name: "explain",
    summary: "tell which rules were looked at, which decided, and what the others lack",
    render: (out, answer) => `${renderVerdicts(out, answer)}\n${renderSteps(answer)}`,
    tellsByCode: false,
  });
  addSimulate(authz, io);
}

interface Question {
  readonly name: string;
  readonly summary: string;
  readonly render: Render;
  /** The exit code tells of a denial. */
  readonly tellsByCode: boolean;
}

function addQuestion(authz: Command, io: Io, { name, summary, render, tellsByCode }: Question): void {
  authz
    .command(name)
    .summary(summary)
    .argument("<method>", "GET, POST, …")
    .argument("<path>", "as a client would send it: /a/b?c=d")
    .requiredOption("--to <namespace/service>", "the service that is called")
    .option("--from <namespace/account>", "the workload that calls; without it, nobody that was proved")
    .option("-H, --header <header>", "`name: value`; may be repeated", collect)
    .option("--user-token <jwt>", "an end user's token, as `Authorization: Bearer`")
    .option("--host <host>", "host of the call; the service's own name unless given")
    .option("--port <port>", "port of the service; its first unless given", wholeNumber)
    .option("--address <ip>", "where the call comes from; without it, from a Worker")
    .addOption(outputOption(["table", "json", "yaml"]))
    .action(async (method: string, path: string, options: Options, command: Command) => {
      const { client } = openSession(command, io);
      const body = bodyOf(method, path, options);
      const answer: CheckAnswer = await client.call({
        method: "POST",
        path: "/authz/check",
        body,
        answer: checkAnswer,
      });
      io.out(options.output === "table" ? render(io, answer) : renderData(options.output, answer));
      const denied = answer.decisions.filter(({ isAllowed }) => !isAllowed);
      if (tellsByCode && denied.length > 0) throw new Failure(EXIT.failure, ["The call is denied."]);
    });
}

function bodyOf(method: string, path: string, options: Options): unknown {
  const { from, to, host, port, address, header = [], userToken } = options;
  const user = userToken === undefined ? [] : [{ name: "authorization", value: `Bearer ${userToken}` }];
  return { from, to, method, path, host, port, address, headers: [...header.map(parseHeader), ...user] };
}

function renderVerdicts(io: Io, { request, caller, version, decisions }: CheckAnswer): string {
  const { method, host, port, path } = request;
  const lines = [
    `Request:  ${plain(`${method} ${host}:${port}${path}`)}`,
    `Caller:   ${plain(caller ?? "nobody that was proved")}`,
    `Version:  ${version}`,
    ...decisions.map((decision) => `${placeOf(decision)}: ${verdictText(io, decision)}`),
  ];
  return `${lines.join("\n")}\n`;
}

function placeOf({ endpoints }: CheckedDecision): string {
  return endpoints.length === 0 ? "No endpoint yet" : `At ${plain(endpoints.join(", "))}`;
}

function verdictText(io: Io, decision: CheckedDecision): string {
  const { isAllowed, by, code, reason, user, asks, peer, tokenBinding, takesTokenOnce } = decision;
  const rule = by === null ? "" : ` (${by})`;
  const verdict = isAllowed ? paint(io, "green", "allowed") : paint(io, "red", `denied, ${code ?? ""}`);
  const notes = [
    `mTLS ${peer}`,
    ...(tokenBinding === undefined ? [] : ["a token counts only with the client's certificate"]),
    ...(user === null ? [] : [`for the user ${user}`]),
    ...(takesTokenOnce === true ? ["a token counts once"] : []),
    ...asks.map((name) => `besides, it asks ${name}`),
  ];
  return `${verdict}: ${plain(reason + rule)}; ${plain(notes.join("; "))}`;
}

const VERDICTS = {
  matches: "matches",
  expired: "has ended (notAfter)",
  from: "from does not match",
  to: "to does not match",
  when: "when does not match",
  outranked: "a more specific one is asked",
};

function renderSteps({ decisions }: CheckAnswer): string {
  const rows = decisions.flatMap((decision) =>
    decision.steps.map(({ stage, policy, rule, verdict }) => {
      const isDecider = decision.by === `${policy}[${rule}]`;
      return [
        isDecider ? "*" : "",
        decision.endpoints.join(","),
        stage,
        policy,
        String(rule),
        VERDICTS[verdict],
      ];
    }),
  );
  if (rows.length === 0) return "No policy is about the service.\n";
  const omitted = decisions.reduce((sum, { omittedSteps }) => sum + omittedSteps, 0);
  const more = omitted === 0 ? "" : `and ${omitted} more rules, none of which matches\n`;
  return renderTable(["", "ENDPOINTS", "STAGE", "POLICY", "RULE", "VERDICT"], rows) + more;
}
