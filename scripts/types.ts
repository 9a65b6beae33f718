/** Type-checks every ring with the types that it may use. `npm run types`. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const projects = ["shared/engine", ".", "cli", "test", "test/durable-objects"];

const failed = projects.filter((project) => {
  const { status } = spawnSync("tsc", ["-p", project], { cwd: root, stdio: "inherit" });
  return status !== 0;
});
if (failed.length > 0) {
  console.error(`types: failed in ${failed.join(", ")}`);
  process.exit(1);
}
