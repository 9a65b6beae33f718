import http from "node:http";

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export interface Ask {
  readonly port: number;
  /** The Host header; a port is added, as a browser does. */
  readonly host: string;
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 32 });

/** One request to a port of 127.0.0.1. Redirects are not followed; 10 seconds without an answer are an error. */
export function ask({ port, host, path, method = "GET", headers = {}, body }: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { host: "127.0.0.1", port, path, method, agent, headers: { host: `${host}:${port}`, ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
        });
      },
    );
    request.setTimeout(10_000, () => request.destroy(new Error(`${path}: no answer within 10 s`)));
    request.on("error", reject);
    request.end(body);
  });
}

/** `act(0)` … `act(count - 1)`, `width` at a time; results in order. */
export async function inTurns<Result>(
  count: number,
  width: number,
  act: (n: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) {
        const n = next++;
        results[n] = await act(n);
      }
    }),
  );
  return results;
}

/** Asks again and again until `accept` is content, for `withinMs` at most; answers what it asked last. */
export async function until<Result>(
  act: () => Promise<Result>,
  accept: (result: Result) => boolean,
  withinMs = 10_000,
): Promise<Result> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const result = await act();
    if (accept(result) || performance.now() > deadline) return result;
  }
}
