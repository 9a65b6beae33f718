/**
 * A Worker's modules as one file, as a deploy would bundle them.
 *
 * @module
 */
import { build } from "esbuild";
import { EXIT, Failure } from "../failure.ts";

/** Bundles the module at `main` into the file `outfile`. Throws a `Failure` with esbuild's findings. */
export async function bundleWorker(main: string, outfile: string): Promise<void> {
  try {
    await build({
      entryPoints: [main],
      outfile,
      bundle: true,
      format: "esm",
      platform: "neutral",
      target: "es2024",
      // The same as wrangler's, so that a package resolves to the same file.
      conditions: ["workerd", "worker", "browser"],
      mainFields: ["browser", "module", "main"],
      external: ["cloudflare:*", "node:*"],
      sourcemap: "inline",
      logLevel: "silent",
    });
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new Failure(EXIT.failure, [`cannot bundle ${main}: ${detail}`], { cause });
  }
}
