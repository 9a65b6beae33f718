#!/usr/bin/env node
/**
 * Starts the command with a Node that runs TypeScript (22.18 or later): this
 * one, or the one that the package brings along. Plain JavaScript of the kind
 * that every Node since 14 reads.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const main = fileURLToPath(new URL("main.ts", import.meta.url));

if (runsTypeScript(process.versions.node)) {
  await import(pathToFileURL(main).href);
} else {
  const node = findNode(dirname(main));
  if (node === null) {
    console.error(
      `selvedge needs Node 22.18 or later; this is ${process.versions.node}.\n` +
        "Run `npm ci` in the project to get one, or install a newer Node.",
    );
    process.exitCode = 1;
  } else {
    runWith(node);
  }
}

/** Node strips types by itself since 22.18 and 23.6. */
function runsTypeScript(version) {
  const [major, minor] = version.split(".").map(Number);
  return major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18);
}

/** The Node of the npm package `node` in this folder or one above it. */
function findNode(folder) {
  const candidates = ["node/bin/node", ".bin/node", "node/bin/node.exe"];
  for (let at = folder; ; at = dirname(at)) {
    for (const candidate of candidates) {
      const path = join(at, "node_modules", candidate);
      if (existsSync(path)) return path;
    }
    if (dirname(at) === at) return null;
  }
}

/** Becomes the other process as far as Node can: its streams, its signals, its exit. */
function runWith(node) {
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: "inherit" });
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  const handlers = signals.map((signal) => [signal, () => isHeard(signal) || child.kill(signal)]);
  for (const [signal, handler] of handlers) process.on(signal, handler);
  child.on("error", (error) => {
    console.error(`selvedge: ${node} does not start: ${error.message}`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => {
    for (const [name, handler] of handlers) process.off(name, handler);
    if (signal === null) process.exitCode = code ?? 1;
    else process.kill(process.pid, signal);
  });
}

/** Whether the child gets the signal without us: a terminal sends Ctrl-C to both, and twice could mean "at once". */
function isHeard(signal) {
  return signal === "SIGINT" && process.stdin.isTTY === true;
}
