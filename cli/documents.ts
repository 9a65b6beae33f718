/**
 * Documents from files, folders and standard input.
 *
 * @module
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join, resolve } from "node:path";
import { parseAllDocuments, LineCounter, type Document } from "yaml";
import { EXIT, Failure } from "./failure.ts";
import type { Io } from "./io.ts";

export interface LoadOptions {
  /** Looks into the folders of a folder too. */
  readonly recursive?: boolean;
}

/** More aliases than this are a bomb, not a configuration. */
const MAX_ALIASES = 100;

const EXTENSIONS = new Set([".yaml", ".yml", ".json"]);

/**
 * All documents of all sources, in order; a folder's files by name. `-` is
 * standard input. Every syntax error of every file is told at once, with its
 * line and column; empty documents are skipped.
 */
export async function loadDocuments(
  sources: readonly string[],
  options: LoadOptions,
  io: Io,
): Promise<readonly unknown[]> {
  const documents: unknown[] = [];
  const errors: string[] = [];
  for (const source of sources) {
    for (const { name, text } of await readSource(source, options, io)) {
      const parsed = parseText(name, text);
      documents.push(...parsed.documents);
      errors.push(...parsed.errors);
    }
  }
  if (errors.length > 0) throw new Failure(EXIT.failure, ["The files are not valid YAML:", ...errors]);
  if (documents.length === 0) {
    throw new Failure(EXIT.failure, [`There are no documents in ${sources.join(", ")}.`]);
  }
  return documents;
}

/** The documents of one text, or its errors as `file:line:column: what`. */
export function parseText(
  name: string,
  text: string,
): { readonly documents: readonly unknown[]; readonly errors: readonly string[] } {
  const lineCounter = new LineCounter();
  const parsed = parseAllDocuments(text, { merge: false, prettyErrors: false, lineCounter });
  const documents: unknown[] = [];
  const errors: string[] = [];
  for (const document of "empty" in parsed ? [] : parsed) {
    const found = syntaxErrors(name, document, lineCounter);
    errors.push(...found);
    if (found.length > 0) continue;
    try {
      const value: unknown = JSON.parse(JSON.stringify(document.toJS({ maxAliasCount: MAX_ALIASES })));
      if (value !== null) documents.push(value);
    } catch (error) {
      // What is no JSON throws: too many aliases, one within its own anchor, too deep a nesting.
      errors.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { documents, errors };
}

function syntaxErrors(name: string, document: Document, lines: LineCounter): readonly string[] {
  return document.errors.map(({ pos, message }) => {
    const { line, col } = lines.linePos(pos[0]);
    return `${name}:${line}:${col}: ${message}`;
  });
}

interface Source {
  readonly name: string;
  readonly text: string;
}

async function readSource(source: string, options: LoadOptions, io: Io): Promise<readonly Source[]> {
  if (source === "-") return [{ name: "standard input", text: await io.readInput() }];
  const path = resolve(io.cwd, source);
  try {
    const files = (await stat(path)).isDirectory() ? await filesIn(path, source, options) : [[path, source]];
    return await Promise.all(
      files.map(async ([file = path, name = source]) => ({ name, text: await readFile(file, "utf8") })),
    );
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw new Failure(EXIT.failure, [`${source} cannot be read: ${code}.`], { cause });
  }
}

/** The documents' files in a folder, `[path, name to show]`, by name. */
async function filesIn(path: string, shown: string, options: LoadOptions): Promise<string[][]> {
  const entries = (await readdir(path, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const files: string[][] = [];
  for (const entry of entries) {
    const [inner, name] = [join(path, entry.name), join(shown, entry.name)];
    const isFolder = (await stat(inner)).isDirectory();
    if (isFolder && options.recursive === true) files.push(...(await filesIn(inner, name, options)));
    if (!isFolder && EXTENSIONS.has(extname(entry.name))) files.push([inner, name]);
  }
  return files;
}
