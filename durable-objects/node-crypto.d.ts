/** The part of `node:crypto` that is used: the runtime has it since the compatibility date 2026-08-04, its types do not. */
declare module "node:crypto" {
  interface Hash {
    update(text: string): Hash;
    digest(encoding: "hex"): string;
  }

  export function createHash(algorithm: "sha256"): Hash;
}
