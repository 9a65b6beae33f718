/** Runs command lines in this process, against a small HTTP server of canned answers. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { PROBLEMS, type ProblemCode } from "../../shared/wire/problem.ts";
import type { Io } from "../../cli/io.ts";
import { run } from "../../cli/run.ts";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  readonly isTerminal?: boolean;
}

/** A process that prints nothing, away from the repository, so that no token file is found. */
export const QUIET: Io = {
  out: () => {},
  err: () => {},
  isTerminal: false,
  env: {},
  cwd: "/",
  readInput: () => Promise.resolve(""),
};

/** Runs one command line and keeps what it prints. */
export async function cli(args: readonly string[], around: Surroundings = {}): Promise<Ran> {
  const printed = { out: "", err: "" };
  const { input = "", ...rest } = around;
  const code = await run(args, {
    ...QUIET,
    ...rest,
    out: (text) => {
      printed.out += text;
    },
    err: (text) => {
      printed.err += text;
    },
    readInput: () => Promise.resolve(input),
  });
  return { code, ...printed };
}

/** One request as the server got it. */
export interface Heard {
  readonly line: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
}

export interface Mesh {
  readonly url: string;
  readonly heard: Heard[];
  close(): Promise<void>;
}

/** What to answer by request line, `GET /api/v1/status`: JSON, or a whole answer of another status. */
export type Answers = Readonly<Record<string, unknown>>;

export class Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, body: string, headers: Readonly<Record<string, string>> = {}) {
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** A problem as the admin API answers it. */
export function problem(code: ProblemCode, detail: string, fields?: readonly object[]): Answer {
  const { status, title } = PROBLEMS[code];
  const body = { type: "about:blank", title, status, code, detail, instance: "request-1", fields };
  return new Answer(status, JSON.stringify(body), { "content-type": "application/problem+json" });
}

/** Starts a server on a free port of the loopback interface. What it was not told about is 404. */
export async function startMesh(answers: Answers): Promise<Mesh> {
  const heard: Heard[] = [];
  const server = createServer(async (request, response) => {
    const line = `${request.method} ${request.url}`;
    heard.push({ line, authorization: request.headers.authorization, body: await bodyOf(request) });
    const known = line in answers ? answers[line] : problem("resource.not_found", `No ${line}.`);
    const answer = known instanceof Answer ? known : new Answer(200, JSON.stringify(known));
    response.writeHead(answer.status, answer.headers).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    heard,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const body = await text(request);
  return body === "" ? undefined : JSON.parse(body);
}
