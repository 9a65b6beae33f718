/**
 * The certificate authority's state as text.
 *
 * @module
 */
import type { z } from "zod";
import type { authorityStatus } from "../shared/wire/admin-authority.ts";
import type { Io } from "./io.ts";
import { paint, plain, renderTable } from "./output.ts";

type Status = z.infer<typeof authorityStatus>;

/** Enough of a fingerprint or key id to tell one from another. */
const SHOWN_ID = 16;

/** Prints one line for every root, intermediate and key, then the counts, and what to look after. */
export function printStatus(io: Io, status: Status): void {
  io.out(renderTable(["WHAT", "STATE", "ID", "EXPIRES", "NOTE"], rowsOf(status)));
  io.out(
    `${plain(status.trustDomain)}: ${status.issued} lines of audit, ${status.revoked} revocations, ` +
      `bundle ${status.sequence}${status.isPublished ? "" : " (not published yet)"}\n`,
  );
  for (const warning of status.warnings) io.err(`${paint(io, "yellow", "Warning:")} ${plain(warning)}\n`);
}

function rowsOf({ roots, intermediate, signingKeys }: Status): readonly (readonly string[])[] {
  return [
    ...roots.map((root) => ["root", root.state, shorten(root.id), day(root.notAfter), noteOf(root)]),
    [
      "intermediate",
      "current",
      shorten(intermediate.id),
      day(intermediate.notAfter),
      intermediate.renewsAt === null ? "loaded" : `renewed by itself on ${day(intermediate.renewsAt)}`,
    ],
    ...signingKeys.map(({ kid, state }) => ["signing key", state, shorten(kid), "", ""]),
  ];
}

function noteOf({ source, takesOverAt, leavesAt }: Status["roots"][number]): string {
  const notes = source === "upstream" ? ["loaded"] : [];
  if (takesOverAt !== null) notes.push(`takes over at ${instant(takesOverAt)}`);
  if (leavesAt !== null) notes.push(`leaves the bundle at ${instant(leavesAt)}`);
  return notes.join(", ");
}

function shorten(id: string): string {
  return id.slice(0, SHOWN_ID);
}

function day(ms: number): string {
  return instant(ms).slice(0, 10);
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
