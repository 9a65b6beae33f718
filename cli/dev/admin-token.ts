/**
 * The admin token of a local mesh. The mesh itself learns its hash only.
 *
 * @module
 */
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The file in the state directory where the command line finds the token. */
export const TOKEN_FILE = "admin-token";

/**
 * The token of a state directory: made at the first start, 256 random bits,
 * readable by its owner only.
 */
export function localAdminToken(stateDir: string): string {
  const path = join(stateDir, TOKEN_FILE);
  if (existsSync(path)) {
    chmodSync(path, 0o600);
    const token = readFileSync(path, "utf8").trim();
    if (token !== "") return token;
  }
  const token = randomBytes(32).toString("base64url");
  mkdirSync(stateDir, { recursive: true });
  writeFileSync(path, `${token}\n`, { mode: 0o600 });
  return token;
}

/** SHA-256 in hex, as `SELVEDGE_ADMIN_TOKEN_SHA256` has it. */
export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
