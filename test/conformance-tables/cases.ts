/**
 * Cases that other projects wrote, where somebody keeps them: they are no
 * part of the repository. `SELVEDGE_CONFORMANCE` names another folder.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where they are, if they are there. */
export const FOLDER =
  process.env["SELVEDGE_CONFORMANCE"] ??
  fileURLToPath(new URL("../../../shared/conformance", import.meta.url));

/** A file of cases. */
export interface Cases<Content> {
  /** Why the tests that need it are skipped; empty when it is there. */
  readonly absence: string;
  /** `null` when it is not there. */
  readonly content: Content | null;
}

/** Reads a file of cases. The caller knows what is in it. */
export function readCases<Content>(name: string): Cases<Content> {
  const path = join(FOLDER, name);
  if (!existsSync(path)) return { absence: ` (skipped: ${path} is not there)`, content: null };
  const content: Content = JSON.parse(readFileSync(path, "utf8"));
  return { absence: "", content };
}
