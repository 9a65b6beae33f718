import type { Command } from "commander";
import { applyAnswer, revisionList } from "../../shared/wire/admin.ts";
import { EXIT, Failure } from "../failure.ts";
import type { Io } from "../io.ts";
import { wholeNumber } from "../options.ts";
import { paint, printChanges } from "../output.ts";
import { openSession, type Session } from "../session.ts";

/** Adds `selvedge rollback`. */
export function addRollback(program: Command, io: Io): void {
  program
    .command("rollback")
    .summary("restore the content of an earlier revision, as a new one")
    .argument("[revision]", "the one before the current one unless given", wholeNumber)
    .action(async (wanted: number | undefined, _: unknown, command: Command) => {
      const session = openSession(command, io);
      const revision = wanted ?? (await previous(session));
      const answer = await session.client.call({
        method: "POST",
        path: "/rollback",
        body: { revision },
        answer: applyAnswer,
      });
      printChanges(io, answer);
      io.err(
        `${paint(io, "cyan", `Revision ${answer.revision}`)} has the content of revision ${revision}.\n`,
      );
    });
}

async function previous(session: Session): Promise<number> {
  const query = { limit: "2" };
  const { items } = await session.client.call({ path: "/revisions", query, answer: revisionList });
  const before = items[1];
  if (before !== undefined) return before.revision;
  throw new Failure(EXIT.notFound, ["There is no earlier revision to go back to; see `selvedge revisions`."]);
}
