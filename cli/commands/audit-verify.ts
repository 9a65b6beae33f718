import { createHash } from "node:crypto";
import { Option, type Command } from "commander";
import { finish, follow, walkFrom, type ChainPoint, type Walk } from "../../shared/engine/hash-chain.ts";
import { auditChain, AUDIT_LOGS, type AuditLog, type ChainPage } from "../../shared/wire/audit-chain.ts";
import type { Client } from "../client.ts";
import { EXIT, Failure } from "../failure.ts";
import type { Io } from "../io.ts";
import { collect } from "../options.ts";
import { openSession } from "../session.ts";

interface Options {
  readonly log: AuditLog | "all";
  readonly expect?: readonly string[];
  readonly since?: readonly string[];
}

/** A head that somebody has noted, as this command prints them. */
interface Noted extends ChainPoint {
  readonly log: string;
}

/** What is known of one log from elsewhere. */
interface Knowledge {
  readonly noted: ChainPoint | null;
  /** Whether everything up to there is believed, and not read. */
  readonly isTrusted: boolean;
}

/** Adds `selvedge audit verify`. */
export function addVerify(audit: Command, io: Io): void {
  audit
    .command("verify")
    .summary("check that nobody has changed, removed or moved a line")
    .description(
      "Reads the logs of operations, configuration (revisions) and issuance, hashes them here, and prints their " +
        "heads. Keep the heads where the mesh's operators cannot change them: whoever can rewrite a whole log is " +
        "found out by a head that was noted before.",
    )
    .addOption(new Option("--log <log>", "only this one").choices([...AUDIT_LOGS, "all"]).default("all"))
    .option("--expect <head>", "a head noted before, log:number:hash: must be in the log as it was", collect)
    .option("--since <head>", "the same, and the lines before it are not read again", collect)
    .action(async ({ log, expect, since }: Options, command: Command) => {
      const logs = log === "all" ? AUDIT_LOGS : [log];
      const known = { expected: readHeads(expect, "--expect"), since: readHeads(since, "--since") };
      const knowledge = logs.map((each) => ({ log: each, ...knowledgeOf(each, known) }));
      const { client } = openSession(command, io);
      const faults: string[] = [];
      for (const { log: each, ...known } of knowledge) {
        const walk = await walkLog(client, each, known);
        if (walk.kind === "broken") faults.push(`${each}: line ${walk.number} ${walk.fault}.`);
        else io.out(`${describe(each, walk)}\n`);
      }
      if (faults.length > 0) throw new Failure(EXIT.failure, faults);
    });
}

async function walkLog(client: Client, log: AuditLog, { noted, isTrusted }: Knowledge): Promise<Walk> {
  let page = await readPage(client, log, isTrusted && noted !== null ? noted.number : 0);
  const isWithin = isTrusted && noted !== null && noted.number > page.anchor.number;
  let walk = walkFrom(isWithin ? noted : page.anchor, noted);
  while (walk.kind === "fits") {
    walk = follow(walk, page.lines, sha256, noted);
    if (walk.kind === "broken" || page.lines.length === 0 || walk.at.number >= page.head.number) break;
    page = await readPage(client, log, walk.at.number);
    if (page.anchor.number > walk.at.number) throw new Failure(EXIT.failure, [`${log}: ${OVERTAKEN}`]);
  }
  return finish(walk, page.head, noted);
}

const OVERTAKEN = "lines were dropped because of their age while they were read. Try again.";

function readPage(client: Client, log: AuditLog, after: number): Promise<ChainPage> {
  return client.call({ path: "/audit/chain", query: { log, after: String(after) }, answer: auditChain });
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function describe(log: AuditLog, { at, lines, first }: Extract<Walk, { kind: "fits" }>): string {
  const head = `head ${log}:${at.number}:${at.hash}`;
  return first === null
    ? `${log}: no line after ${at.number}, ${head}`
    : `${log}: ${lines} ${lines === 1 ? "line" : "lines"}, from ${first} to ${at.number}, ${head}`;
}

function knowledgeOf(
  log: AuditLog,
  { expected, since }: { readonly expected: readonly Noted[]; readonly since: readonly Noted[] },
): Knowledge {
  const [noted, ...others] = [...expected, ...since].filter((each) => each.log === log);
  if (others.length > 0) throw new Failure(EXIT.usage, [`Write one head of the log ${log}.`]);
  return { noted: noted ?? null, isTrusted: noted !== undefined && since.includes(noted) };
}

function readHeads(texts: readonly string[] = [], option: string): readonly Noted[] {
  return texts.map((text) => {
    const [, log, number, hash] = /^([a-z]+):(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
    const isLog = AUDIT_LOGS.some((each) => each === log);
    if (log === undefined || number === undefined || hash === undefined || !isLog) {
      throw new Failure(EXIT.usage, [
        `${option}: "${text}" is no head: write log:number:hash, as it is printed.`,
      ]);
    }
    return { log, number: Number(number), hash };
  });
}
