import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { ask } from "./http-client.ts";
import { stateDir } from "./state-dir.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const MAIN = join(ROOT, "cli/main.ts");

interface Dev {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown[]>;
  /** All that it printed so far. */
  printed(): string;
}

/** Runs `selvedge dev` as `npm start` does, and resolves when it has printed `text` or ended. */
async function dev(args: readonly string[], text: string): Promise<Dev> {
  const env = { ...process.env, PORT: "", SELVEDGE_ADMIN_TOKEN: "" };
  const child = spawn(process.execPath, [MAIN, "dev", "--port", "0", ...args], { cwd: ROOT, env });
  onTestFinished(() => void child.kill("SIGKILL"));
  let printed = "";
  const ended = once(child, "exit");
  await new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        printed += chunk.toString();
        if (printed.includes(text)) resolve();
      });
    }
    void ended.then(() => resolve());
  });
  return { child, ended, printed: () => printed };
}

const READY = "Ctrl-C stops everything.";

function first(pattern: RegExp, text: string): string {
  return pattern.exec(text)?.[1] ?? `no match for ${pattern.source}`;
}

const portOf = ({ printed }: Dev) => Number(first(/localhost:(\d+)\/productpage/, printed()));
const ratingsOf = ({ printed }: Dev) => Number(first(/ratings v2 .*:(\d+),/, printed()));

/** The process among a process's children that runs workerd (proc(5)). */
function runtimePid(parent: number | undefined): number {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim().split(" ");
  const pid = children.find((child) => readFileSync(`/proc/${child}/cmdline`, "utf8").includes("workerd"));
  return Number(pid);
}

/** A port that somebody else holds while the test runs. */
async function heldPort(): Promise<string> {
  const holder = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void holder.close());
  await once(holder, "listening");
  const address = holder.address();
  return typeof address === "object" ? String(address?.port) : "";
}

test("starts mesh and example, says where they are, and ends all of it at Ctrl-C", async () => {
  const state = stateDir();
  const running = await dev(["--state", state, "--ratings-port", "0"], READY);
  const [port, ratings] = [portOf(running), ratingsOf(running)];

  const page = await ask({ port, host: "bookinfo.localhost", path: "/productpage" });
  const status = await ask({
    port,
    host: "127.0.0.1",
    path: "/api/v1/status",
    headers: { authorization: `Bearer ${readFileSync(join(state, "admin-token"), "utf8").trim()}` },
  });
  running.child.kill("SIGINT");
  const ended = await running.ended;

  expect(running.printed()).toMatch(
    /^Selvedge is ready in \d+\.\d s, with the example applied \(revision 1\)\.$/m,
  );
  expect([page.status, status.status]).toEqual([200, 200]);
  expect(statSync(join(state, "admin-token")).mode & 0o777).toBe(0o600);
  expect(ended).toEqual([0, null]);
  await expect(ask({ port, host: "bookinfo.localhost", path: "/" })).rejects.toThrow("ECONNREFUSED");
  await expect(ask({ port: ratings, host: "127.0.0.1", path: "/health" })).rejects.toThrow("ECONNREFUSED");
});

test("keeps configuration and token from one run to the next", async () => {
  const state = stateDir();
  const one = await dev(["--state", state, "--ratings-port", "0"], READY);
  const token = readFileSync(join(state, "admin-token"), "utf8");
  one.child.kill("SIGTERM");
  await one.ended;

  const two = await dev(["--state", state, "--ratings-port", "0"], READY);

  expect(two.printed()).toContain("with the configuration of the last run");
  expect(readFileSync(join(state, "admin-token"), "utf8")).toBe(token);
  const port = portOf(two);
  expect((await ask({ port, host: "bookinfo.localhost", path: "/productpage" })).status).toBe(200);
  two.child.kill("SIGTERM");
  expect(await two.ended).toEqual([0, null]);
});

test("starts without the example", async () => {
  const running = await dev(["--state", stateDir(), "--no-demo"], READY);

  expect(running.printed()).not.toContain("bookinfo");
  running.child.kill("SIGTERM");
  expect(await running.ended).toEqual([0, null]);
});

test("goes on when the example's server dies", async () => {
  const running = await dev(["--state", stateDir(), "--ratings-port", "0"], READY);

  process.kill(Number(first(/\(pid (\d+)\)/, running.printed())));
  const page = await ask({ port: portOf(running), host: "bookinfo.localhost", path: "/productpage" });

  expect(page.status).toBe(200);
  running.child.kill("SIGTERM");
  expect(await running.ended).toEqual([0, null]);
});

test("says which port is taken", async () => {
  const port = await heldPort();

  const refused = await dev(["--state", stateDir(), "--ratings-port", "0", "--port", port], READY);

  expect(await refused.ended).toEqual([1, null]);
  expect(refused.printed()).toContain(
    `Error: 127.0.0.1:${port} is taken: stop what listens there, or choose another port`,
  );
});

test("says when the example's port is taken", async () => {
  const port = await heldPort();

  const refused = await dev(["--state", stateDir(), "--ratings-port", port], READY);

  expect(await refused.ended).toEqual([1, null]);
  expect(refused.printed()).toContain("--ratings-port 0 takes a free one");
});

test("ends with an error when the runtime ends by itself", async () => {
  const running = await dev(["--state", stateDir(), "--no-demo"], READY);

  process.kill(runtimePid(running.child.pid), "SIGKILL");

  expect(await running.ended).toEqual([1, null]);
  expect(running.printed()).toContain("The runtime has ended by itself, with exit code 137.");
});
