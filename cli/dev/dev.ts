/**
 * `selvedge dev`: the whole mesh on this machine, with its example.
 *
 * @module
 */
import { createWriteStream, mkdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { type Command, Option } from "commander";
import { healthAnswer } from "../../shared/wire/admin.ts";
import { type Client, createClient } from "../client.ts";
import { EXIT, Failure } from "../failure.ts";
import { wholeNumber } from "../options.ts";
import { localAdminToken, TOKEN_FILE } from "./admin-token.ts";
import { applyDemo, DEMO_SERVICES, DEMO_WORKERS, type Ratings, startRatings } from "./demo.ts";
import { clientCertificate } from "./client-certificate.ts";
import { startLocalMesh } from "./local-mesh.ts";
import { watched } from "./progress.ts";
import type { Runtime } from "./runtime.ts";
import { type Scene, welcome } from "./welcome.ts";
import type { CertificateTarget } from "./worker-config.ts";

interface Options {
  readonly port: number;
  readonly state: string;
  readonly demo: boolean;
  readonly ratingsPort: number;
  readonly clientCertificate: Readonly<Record<string, CertificateTarget>>;
}

const LOG_FILE = "mesh.log";

/** Adds `selvedge dev`. */
export function addDevCommand(program: Command): void {
  program
    .command("dev")
    .summary("run the mesh on this machine, with its example")
    .description(
      "Runs the mesh's Worker under workerd, the runtime of Cloudflare Workers, and beside it the bookinfo example. " +
        "Listens on 127.0.0.1 only; configuration and objects are kept in the state directory. Ctrl-C stops it.",
    )
    .addOption(
      new Option("--port <port>", "where to listen; 0 takes a free port")
        .env("PORT")
        .default(8787)
        .argParser(wholeNumber),
    )
    .option("--state <directory>", "where everything is kept", ".selvedge")
    .option("--no-demo", "without the example")
    .addOption(
      new Option("--ratings-port <port>", "where the example's HTTP server listens; 0 takes a free port")
        .default(9081)
        .argParser(wholeNumber),
    )
    .option(
      "--client-certificate <name=chain.pem,key.pem[,ca.pem]>",
      "what mtls_certificates binds on the platform: a certificate to show to origins; repeatable",
      clientCertificate,
      {},
    )
    .action((options: Options) => dev(options, process.env["SELVEDGE_ADMIN_TOKEN"]));
}

/** Runs until a signal or the end of the runtime; then ends what it started. */
async function dev(options: Options, givenToken: string | undefined): Promise<void> {
  const startedAt = performance.now();
  const stateDir = resolve(options.state);
  mkdirSync(stateDir, { recursive: true });
  const isTokenGiven = givenToken !== undefined && givenToken !== "";
  const token = isTokenGiven ? givenToken : localAdminToken(stateDir);
  const interrupted = signalled();

  const ratings = options.demo ? await startRatings(options.ratingsPort, tellDeath) : null;
  let runtime: Runtime | null = null;
  try {
    runtime = await watched("bundling and starting the Workers", startMesh(options, stateDir, token));
    const client = createClient({ server: runtime.url, token, timeoutMs: 30_000 });
    const demo = await watched("configuring the mesh", configure(client, ratings));
    const seconds = (performance.now() - startedAt) / 1000;
    const tokenFile = isTokenGiven ? null : shown(join(stateDir, TOKEN_FILE));
    const { url, port } = runtime;
    console.log(welcome({ url, port, seconds, tokenFile, logFile: shown(join(stateDir, LOG_FILE)), demo }));
    await untilEnd(runtime, interrupted);
  } finally {
    await runtime?.stop();
    ratings?.stop();
  }
}

function startMesh(options: Options, stateDir: string, adminToken: string): Promise<Runtime> {
  // What the runtime prints is the mesh's access log: kept, but not in the way.
  const log = createWriteStream(join(stateDir, LOG_FILE), { flags: "a" });
  return startLocalMesh({
    port: options.port,
    stateDir,
    adminToken,
    workers: options.demo ? DEMO_WORKERS : [],
    services: { ...(options.demo ? DEMO_SERVICES : {}), ...options.clientCertificate },
    output: (line) => log.write(`${line}\n`),
  });
}

/** Returns when the mesh answers, and has the example if there is one. */
async function configure(client: Client, ratings: Ratings | null): Promise<Scene["demo"]> {
  if (ratings !== null) return { applied: await applyDemo(client, ratings.url), ratings };
  await client.call({ path: "/healthz", answer: healthAnswer });
  return null;
}

function tellDeath(): void {
  console.error("ratings v2 has ended; the mesh goes on without it.");
}

/** A path as a person would write it here. */
function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith("..") ? path : short;
}

/** Resolves at Ctrl-C, a polite kill, or the end of the terminal. */
function signalled(): Promise<"signal"> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.on(signal, () => resolve("signal"));
  });
}

async function untilEnd(runtime: Runtime, interrupted: Promise<"signal">): Promise<void> {
  const end = await Promise.race([interrupted, runtime.exited]);
  if (end === "signal") {
    console.log("Stopping …");
    return;
  }
  const lines = [`The runtime has ended by itself, with exit code ${end}.`, "The log may tell why."];
  throw new Failure(EXIT.failure, lines);
}
