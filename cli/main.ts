/** The `selvedge` command, for a Node that runs TypeScript; `selvedge.mjs` finds one. */
import { processIo } from "./io.ts";
import { run } from "./run.ts";

process.exitCode = await run(process.argv.slice(2), processIo());
