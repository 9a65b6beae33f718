/** A mesh with joined Workers, and one description of behavior for both hosts. */
import { afterAll, beforeAll, describe } from "vitest";
import { endpoint, permissive, service } from "./documents.ts";
import { throughEdge, throughLibrary } from "./hosts.ts";
import type { CallService } from "./hosts.ts";
import type { Reply } from "./http.ts";
import { startMesh } from "./mesh.ts";
import type { TestMesh } from "./mesh.ts";

export interface Suite {
  readonly host: "edge" | "library";
  /** Names of services must differ between hosts: one mesh serves all. */
  named(word: string): string;
  call: CallService;
  mesh: TestMesh;
  /** Proves `conformance/caller`. */
  token: string;
}

/** One mesh with joined Workers for the tests of a file. */
export function startSuite(): Pick<Suite, "mesh" | "token"> {
  let mesh: TestMesh;
  let token = "";

  beforeAll(async () => {
    mesh = await startMesh();
    const workers = { joined: true, serviceAccount: "caller" };
    await mesh.apply(
      service("caller"),
      endpoint("caller", "caller", { ...workers, address: "binding:CALLER" }),
      permissive("caller"),
      service("callee"),
      endpoint("callee", "callee", { ...workers, address: "binding:CALLEE", serviceAccount: "callee" }),
    );
    token = await mesh.token("conformance/caller");
  });

  afterAll(() => mesh.stop());

  return {
    get mesh() {
      return mesh;
    },
    get token() {
      return token;
    },
  };
}

/** Starts one mesh and runs `rows` against both hosts of it. */
export function describeHosts(rows: (suite: Suite) => void): void {
  const started = startSuite();

  for (const host of ["edge", "library"] as const) {
    describe(host, () => {
      const suite: Suite = {
        host,
        named: (word) => `${word}-${host}`,
        call: (service, path, request) =>
          (host === "edge" ? throughEdge(started.mesh, started.token) : throughLibrary(started.mesh))(
            service,
            path,
            request,
          ),
        get mesh() {
          return started.mesh;
        },
        get token() {
          return started.token;
        },
      };
      rows(suite);
    });
  }
}

/** Asks until `look` finds what is wanted, for at most three seconds: the bound for a change to be seen. */
export async function eventually<T>(look: () => Promise<T> | T, isWanted: (seen: T) => boolean): Promise<T> {
  const giveUpAt = Date.now() + 3_000;
  let seen = await look();
  while (!isWanted(seen) && Date.now() < giveUpAt) {
    await new Promise((resolve) => setImmediate(resolve));
    seen = await look();
  }
  return seen;
}

/** The status and the code of an answer that the mesh gave itself. */
export function codeOf(reply: Reply): readonly [status: number, code: unknown] {
  return [reply.status, JSON.parse(reply.body).code];
}
