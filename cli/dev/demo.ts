/**
 * The bookinfo example beside a local mesh.
 *
 * @module
 */
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { applyAnswer, resourceList } from "../../shared/wire/admin.ts";
import type { Client } from "../client.ts";
import { parseText } from "../documents.ts";
import { cannotStart } from "./cannot-start.ts";
import type { ServiceTarget, WorkerSource } from "./worker-config.ts";

const EXAMPLE = new URL("../../examples/bookinfo/", import.meta.url);

const NAMESPACE = "bookinfo";

/** The address that the example's Endpoint of ratings v2 names. */
const RATINGS_ADDRESS = "http://127.0.0.1:9081";

/** The Workers of the example. */
export const DEMO_WORKERS: readonly WorkerSource[] = [
  "productpage",
  "details",
  "reviews/v1",
  "reviews/v2",
  "reviews/v3",
  "ratings",
].map((folder) => ({ configPath: pathOf(`${folder}/wrangler.toml`) }));

/** What the addresses `binding:…` of the example mean. */
export const DEMO_SERVICES: Readonly<Record<string, ServiceTarget>> = {
  BOOKINFO_PRODUCTPAGE: { service: "bookinfo-productpage-v1" },
  BOOKINFO_DETAILS: { service: "bookinfo-details-v1" },
  BOOKINFO_REVIEWS_V1: { service: "bookinfo-reviews-v1" },
  BOOKINFO_REVIEWS_V2: { service: "bookinfo-reviews-v2" },
  BOOKINFO_REVIEWS_V3: { service: "bookinfo-reviews-v3" },
  BOOKINFO_RATINGS: { service: "bookinfo-ratings-v1" },
};

const FILES = ["bookinfo.yaml", "gateway.yaml", "policies.yaml", "traffic.yaml"];

function pathOf(name: string): string {
  return fileURLToPath(new URL(name, EXAMPLE));
}

export interface Ratings {
  readonly pid: number;
  readonly url: string;
  stop(): void;
}

/**
 * Starts ratings v2, a Node process, at a port of 127.0.0.1; 0 takes a free
 * one. Calls `onDeath` if it ends before it was stopped.
 */
export async function startRatings(port: number, onDeath: () => void): Promise<Ratings> {
  const child = fork(pathOf("ratings-v2/server.ts"), [String(port)], {
    // A group of its own: Ctrl-C on a terminal is for us, and we end it when the mesh has ended.
    detached: true,
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const message = await Promise.race([
    new Promise<unknown>((resolve) => child.once("message", resolve)),
    exited.then(() => null),
  ]);
  const listening = z.object({ port: z.int() }).safeParse(message);
  if (!listening.success) {
    const hint = "Stop what listens there, or choose another: --ratings-port 0 takes a free one.";
    throw cannotStart(`The example's ratings server did not start: ${said.trim()}`, hint);
  }
  child.once("exit", onDeath);
  return {
    pid: child.pid ?? 0,
    url: `http://127.0.0.1:${listening.data.port}`,
    stop() {
      child.removeListener("exit", onDeath);
      child.kill("SIGTERM");
    },
  };
}

/** All documents of the example, with ratings v2 at the address where it listens. */
export function demoDocuments(ratingsUrl: string): readonly unknown[] {
  return FILES.flatMap((name) => {
    const text = readFileSync(pathOf(name), "utf8").replaceAll(RATINGS_ADDRESS, ratingsUrl);
    const { documents, errors } = parseText(name, text);
    if (errors.length > 0) throw cannotStart("The example is not valid YAML:", ...errors);
    return documents;
  });
}

export interface Applied {
  readonly revision: number;
  /** The example was there already; what had been made of it was left as it is. */
  readonly isKept: boolean;
}

/**
 * Applies the example to a mesh that does not have it yet. A mesh that has it
 * keeps what a person made of it; ratings v2 alone is told anew, for its port
 * may have changed.
 */
export async function applyDemo(client: Client, ratingsUrl: string): Promise<Applied> {
  const namespaces = await client.call({
    path: "/resources",
    query: { kind: "Namespace" },
    answer: resourceList,
  });
  const isKept = namespaces.items.some(({ metadata }) => metadata.name === NAMESPACE);
  const all = demoDocuments(ratingsUrl);
  const documents = isKept ? all.filter(isRatingsEndpoint) : all;
  const answer = await client.call({
    method: "POST",
    path: "/apply",
    body: { documents },
    answer: applyAnswer,
  });
  return { revision: answer.revision, isKept };
}

function isRatingsEndpoint(document: unknown): boolean {
  const endpoint = z.object({
    kind: z.literal("Endpoint"),
    metadata: z.object({ name: z.literal("ratings-v2") }),
  });
  return endpoint.safeParse(document).success;
}
