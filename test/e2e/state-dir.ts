import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A fresh directory for one test, gone at its end. */
export function stateDir(onEnd: (clean: () => void) => void): string {
  const directory = mkdtempSync(join(tmpdir(), "selvedge-test-"));
  onEnd(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
