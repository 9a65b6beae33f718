/**
 * The local runtime: workerd itself, with one or several Workers in one
 * process. No development proxy stands in front, so that a Worker sees a path
 * and a Host header as the client sent them.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { bundleWorker } from "./bundle.ts";
import { type BundledWorker, KV_WORKER, runtimeConfig, type RuntimeSocket } from "./runtime-config.ts";
import type { Failure } from "../failure.ts";
import { cannotStart } from "./cannot-start.ts";
import { noteRunning, refuseIfRunning } from "./state-lock.ts";
import { readWorkerConfig, type ServiceTarget, type WorkerSource } from "./worker-config.ts";

export interface RuntimeOptions {
  readonly workers: readonly WorkerSource[];
  /** Name of the Worker that answers on `port`. */
  readonly main: string;
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** Where objects are stored, and bundles and configuration written. Made if absent. */
  readonly stateDir: string;
  /**
   * Further sockets, by name, each on a free port: doors past the mesh, for tests and benchmarks. An
   * external binding of another runtime can call the target's methods through one.
   */
  readonly sockets?: Readonly<Record<string, ServiceTarget>>;
  /** Takes each line that workerd prints; standard error, marked `workerd: `, unless given. */
  readonly output?: (line: string) => void;
}

export interface SocketAddress {
  readonly port: number;
  /** `http://<host>:<port>`, without a slash at the end. */
  readonly url: string;
}

export interface Runtime extends SocketAddress {
  readonly pid: number;
  /** The exit code of workerd; 128 + n after signal n, as a shell tells it. */
  readonly exited: Promise<number>;
  /** Address of one of the `sockets`. */
  socket(name: string): SocketAddress;
  /** Lets running requests end, for at most 5 seconds. Resolves when the process is gone. */
  stop(): Promise<void>;
  /** Ends the process at once, as a crash would. */
  kill(): void;
}

/** Workerd starts in tenths of a second; a slow machine bundles and compiles in a few. */
const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 5000;

const MAIN_SOCKET = "main";

/** The only place to listen: the admin token lies about on this machine, and nothing here stops a flood. */
const LOOPBACK = "127.0.0.1";

/** Starts workerd and resolves when it listens. Rejects with a `Failure` that says what to change. */
export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const configPath = await writeConfig(options);
  const child = spawn(workerdPath(), ["serve", configPath, "--control-fd=3"], {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    // A group of its own: Ctrl-C on a terminal is for this process, which then stops the runtime in order.
    detached: true,
  });
  if (child.pid !== undefined) noteRunning(dirname(configPath), child.pid);
  // Whatever ends this process, the runtime must not stay behind with the port.
  const killWithParent = () => child.kill("SIGKILL");
  process.once("exit", killWithParent);
  const exited = exitOf(child);
  void exited.then(() => process.removeListener("exit", killWithParent));

  const printed = passOn(child, options.output ?? ((line) => console.error(`workerd: ${line}`)));
  const ports = await listening(child, socketNames(options), exited);
  if (ports === null) {
    child.kill("SIGKILL");
    await exited;
    throw explain(printed, `${LOOPBACK}:${options.port ?? 0}`);
  }
  const addressOf = (name: string): SocketAddress => {
    const port = ports.get(name);
    if (port === undefined) throw new Error(`no socket "${name}" was asked for`);
    return { port, url: `http://${LOOPBACK}:${port}` };
  };
  return {
    ...addressOf(MAIN_SOCKET),
    pid: child.pid ?? 0,
    exited,
    socket: addressOf,
    stop: () => stop(child, exited),
    kill: () => void child.kill("SIGKILL"),
  };
}

/** Bundles the Workers and writes the runtime's configuration beside them; returns its path. */
async function writeConfig(options: RuntimeOptions): Promise<string> {
  const directory = join(resolve(options.stateDir), "runtime");
  refuseIfRunning(directory);
  const objectsDir = join(resolve(options.stateDir), "objects");
  mkdirSync(directory, { recursive: true });
  // Among the objects are private keys.
  mkdirSync(objectsDir, { recursive: true, mode: 0o700 });
  const given = options.workers.map(readWorkerConfig);
  const needsKv = given.some(({ kvNamespaces }) => Object.keys(kvNamespaces).length > 0);
  const configs = needsKv ? [...given, KV_WORKER] : given;
  const workers: BundledWorker[] = configs.map((config) => ({ config, bundle: `${config.name}.js` }));
  const sockets: RuntimeSocket[] = [
    {
      name: MAIN_SOCKET,
      address: `${LOOPBACK}:${options.port ?? 0}`,
      target: { service: options.main },
      carriesRpc: false,
    },
    ...Object.entries(options.sockets ?? {}).map(([name, target]) => ({
      name,
      address: `${LOOPBACK}:0`,
      target,
      carriesRpc: true,
    })),
  ];
  const config = runtimeConfig(workers, sockets, objectsDir);
  await Promise.all(workers.map(({ config, bundle }) => bundleWorker(config.main, join(directory, bundle))));
  const configPath = join(directory, "workerd.capnp");
  // It may hold the keys of client certificates.
  writeFileSync(configPath, config, { mode: 0o600 });
  return configPath;
}

function socketNames(options: RuntimeOptions): string[] {
  return [MAIN_SOCKET, ...Object.keys(options.sockets ?? {})];
}

/** The package's main module exports the path of the binary for this machine. */
function workerdPath(): string {
  const workerd: unknown = createRequire(import.meta.url)("workerd");
  const path = typeof workerd === "object" && workerd !== null && "default" in workerd ? workerd.default : "";
  if (typeof path !== "string" || path === "") {
    throw cannotStart("the package workerd is not installed: run npm install");
  }
  return path;
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once("error", () => resolve(1));
    child.once("exit", (code, signal) => resolve(code ?? 128 + signalNumber(signal)));
  });
}

function signalNumber(signal: NodeJS.Signals | null): number {
  return signal === null ? 0 : (constants.signals[signal] ?? 0);
}

/** Hands lines on as they come, and keeps the first of them to explain a failed start. */
function passOn(child: ChildProcess, output: (line: string) => void): string[] {
  const kept: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on("line", (line) => {
      if (kept.length < 50) kept.push(line);
      output(line);
    });
  }
  return kept;
}

/** Ports by socket name, once all listen; null when the process ends before, or takes too long. */
async function listening(
  child: ChildProcess,
  names: readonly string[],
  exited: Promise<number>,
): Promise<ReadonlyMap<string, number> | null> {
  const control = child.stdio[3];
  if (!(control instanceof Readable)) return null;
  const ports = new Map<string, number>();
  const all = new Promise<ReadonlyMap<string, number>>((resolve) => {
    createInterface({ input: control }).on("line", (line) => {
      const message: unknown = JSON.parse(line);
      if (isListenMessage(message)) ports.set(message.socket, message.port);
      if (names.every((name) => ports.has(name))) resolve(ports);
    });
  });
  const limit = new AbortController();
  try {
    return await Promise.race([
      all,
      exited.then(() => null),
      setTimeout(START_LIMIT_MS, null, { signal: limit.signal }),
    ]);
  } finally {
    limit.abort();
  }
}

function isListenMessage(message: unknown): message is { socket: string; port: number } {
  return (
    typeof message === "object" &&
    message !== null &&
    "socket" in message &&
    typeof message.socket === "string" &&
    "port" in message &&
    typeof message.port === "number"
  );
}

function explain(printed: readonly string[], address: string): Failure {
  const said = printed.join("\n");
  if (said.includes("Address already in use")) {
    return cannotStart(`${address} is taken: stop what listens there, or choose another port`);
  }
  return cannotStart(`workerd did not start:\n${said || "it printed nothing"}`);
}

async function stop(child: ChildProcess, exited: Promise<number>): Promise<void> {
  child.kill("SIGTERM");
  const impatient = new AbortController();
  const killLate = setTimeout(STOP_LIMIT_MS, null, { signal: impatient.signal }).then(
    () => child.kill("SIGKILL"),
    // Aborted: the process ended by itself.
    () => false,
  );
  await exited;
  impatient.abort();
  await killLate;
}
