import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { VERSION } from "../../shared/wire/version.ts";

const launcher = fileURLToPath(new URL("../../cli/selvedge.mjs", import.meta.url));

/** Runs the launcher with this Node, which says that it is of another version. */
function launch(
  version: string,
  args: readonly string[],
): Promise<{ code: unknown; out: string; err: string }> {
  const disguise = `Object.defineProperty(process,"versions",{value:{...process.versions,node:"${version}"}})`;
  const argv = ["--import", `data:text/javascript,${encodeURIComponent(disguise)}`, launcher, ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, argv, { timeout: 20_000, cwd: "/" }, (error, out, err) => {
      resolve({ code: error?.code ?? 0, out, err });
    });
  });
}

test.each(["24.1.0", "22.18.0", "23.6.0", "22.17.9", "20.11.0", "18.0.0"])(
  "Node %s runs the command, itself or by the package's own Node",
  async (version) => {
    expect(await launch(version, ["version", "--client"])).toEqual({
      code: 0,
      out: `Client: ${VERSION}\n`,
      err: "",
    });
  },
);

test("the exit code of the package's own Node is passed on", async () => {
  expect(await launch("20.11.0", ["get", "nothing-of-the-kind"])).toMatchObject({ code: 2, out: "" });
});
