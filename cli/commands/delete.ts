import type { Command } from "commander";
import { applyAnswer, resource } from "../../shared/wire/admin.ts";
import type { ResourceRef } from "../../shared/wire/resource.ts";
import { at } from "../columns.ts";
import { loadDocuments } from "../documents.ts";
import { EXIT, Failure } from "../failure.ts";
import type { Io } from "../io.ts";
import { collect } from "../options.ts";
import { displayKind, plain } from "../output.ts";
import { openSession, type Session } from "../session.ts";
import { parseTargets, refTo, requireKind, resourcePath } from "../targets.ts";

interface Options {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
  readonly ignoreNotFound?: boolean;
}

/** Adds `selvedge delete`. */
export function addDelete(program: Command, io: Io): void {
  program
    .command("delete")
    .summary("delete resources, all of them or none")
    .argument("[kind]", "kind or KIND/NAME")
    .argument("[name...]", "names")
    .option("-f, --filename <file>", "delete what the file, folder or - names; may be repeated", collect)
    .option("-R, --recursive", "look into the folders of a folder")
    .option("--ignore-not-found", "leave out what does not exist")
    .action(
      async (kind: string | undefined, names: readonly string[], options: Options, command: Command) => {
        const session = openSession(command, io);
        const named = kind === undefined ? [] : namedRefs(session, [kind, ...names]);
        const filed = await filedRefs(session, options);
        if ((named.length === 0) === (filed.length === 0)) {
          throw new Failure(EXIT.usage, ["Name what to delete: KIND NAME…, KIND/NAME… or -f FILE."]);
        }
        const refs = [...named, ...filed];
        await remove(session, options.ignoreNotFound === true ? await existing(session, refs) : refs);
      },
    );
}

function namedRefs(session: Session, args: readonly string[]): readonly ResourceRef[] {
  return parseTargets(args).flatMap(({ info, names }) =>
    names.map((name) => refTo(info, name, session.namespace)),
  );
}

async function filedRefs(session: Session, options: Options): Promise<readonly ResourceRef[]> {
  if (options.filename === undefined) return [];
  const documents = await loadDocuments(options.filename, options, session.io);
  // Only what names a resource is read: a file need not be valid to be taken back.
  return documents
    .flatMap((document) => (at(document, "kind")[0] === "List" ? at(document, "items", "*") : [document]))
    .map((document) => {
      const info = requireKind(textAt(document, "kind"));
      const namespace = at(document, "metadata", "namespace")[0];
      return refTo(
        info,
        textAt(document, "metadata", "name"),
        typeof namespace === "string" ? namespace : session.namespace,
      );
    });
}

function textAt(document: unknown, ...path: readonly string[]): string {
  const [value] = at(document, ...path);
  if (typeof value === "string") return value;
  throw new Failure(EXIT.failure, [`A document has no ${path.join(".")}, so that it names no resource.`]);
}

async function existing(session: Session, refs: readonly ResourceRef[]): Promise<readonly ResourceRef[]> {
  const found = await Promise.all(refs.map((ref) => exists(session, ref)));
  return refs.filter((_, index) => found[index]);
}

async function exists(session: Session, ref: ResourceRef): Promise<boolean> {
  try {
    await session.client.call({ path: resourcePath(ref), answer: resource });
    return true;
  } catch (error) {
    if (error instanceof Failure && error.exitCode === EXIT.notFound) return false;
    throw error;
  }
}

async function remove(session: Session, refs: readonly ResourceRef[]): Promise<void> {
  if (refs.length === 0) return;
  const { client, io } = session;
  const answer = await client.call({ method: "POST", path: "/delete", body: { refs }, answer: applyAnswer });
  for (const { ref } of answer.changes) {
    io.out(`${plain(displayKind(ref))} "${plain(ref.name)}" deleted\n`);
  }
  for (const warning of answer.warnings) io.err(`Warning: ${plain(warning)}\n`);
}
