import type { Command } from "commander";
import { issuedToken } from "../../shared/wire/admin.ts";
import { parseDuration } from "../duration.ts";
import type { Io } from "../io.ts";
import { openSession } from "../session.ts";

interface Options {
  readonly as: string;
  readonly audience?: string;
  readonly ttl?: string;
}

/** Adds `selvedge token`. */
export function addToken(program: Command, io: Io): void {
  program
    .command("token")
    .summary("issue a token with which to call as a workload")
    .description("Prints the token and nothing else. Whoever holds it is the workload until it expires.")
    .requiredOption("--as <namespace/service-account>", "who the bearer will be")
    .option("--audience <spiffe-id>", "for whom it is meant; the mesh itself unless given")
    .option("--ttl <duration>", "how long it is valid, 10s to 1h; 5m unless given")
    .action(async (options: Options, command: Command) => {
      const { client } = openSession(command, io);
      const ttlSeconds = options.ttl === undefined ? undefined : parseDuration(options.ttl, "--ttl") / 1000;
      const body = { workload: options.as, audience: options.audience, ttlSeconds };
      const { token } = await client.call({ method: "POST", path: "/tokens", body, answer: issuedToken });
      io.out(`${token}\n`);
    });
}
