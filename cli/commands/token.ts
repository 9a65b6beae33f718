import type { Command } from "commander";
import { readPem } from "../../shared/identity/pem.ts";
import { thumbprintOf } from "../../shared/identity/thumbprint.ts";
import { issuedToken } from "../../shared/wire/admin.ts";
import { grantedJoinToken, joinToken, joinTokenList } from "../../shared/wire/admin-authority.ts";
import { ageText, parseDuration } from "../duration.ts";
import { EXIT, Failure } from "../failure.ts";
import type { Io } from "../io.ts";
import { outputOption } from "../options.ts";
import { plain, renderData, renderTable } from "../output.ts";
import { readText } from "../read-text.ts";
import { openSession } from "../session.ts";

interface Options {
  readonly as?: string;
  readonly audience?: string;
  readonly ttl?: string;
  readonly certificate?: string;
}

/** Adds `selvedge token`. */
export function addToken(program: Command, io: Io): void {
  const token = program
    .command("token")
    .summary("issue a token with which to call as a workload, or to join as one")
    .description(
      "Prints the token and nothing else. Whoever holds it is the workload until it expires; with --certificate, " +
        "whoever holds the certificate's key besides.",
    )
    .option("--as <namespace/service-account>", "who the bearer will be; needed")
    .option("--audience <spiffe-id>", "for whom it is meant; the mesh itself unless given")
    .option("--ttl <duration>", "how long it is valid, 10s to 1h; 5m unless given")
    .option(
      "--certificate <file>",
      "bind it to the client certificate in this PEM file, the first of it; - is standard input",
    )
    .action(async (options: Options, command: Command) => {
      if (options.as === undefined) throw new Failure(EXIT.usage, ["Write --as NAMESPACE/ACCOUNT."]);
      const { client } = openSession(command, io);
      const ttlSeconds = options.ttl === undefined ? undefined : parseDuration(options.ttl, "--ttl") / 1000;
      const boundTo =
        options.certificate === undefined ? undefined : await thumbprintIn(options.certificate, io);
      const body = { workload: options.as, audience: options.audience, ttlSeconds, boundTo };
      const issued = await client.call({ method: "POST", path: "/tokens", body, answer: issuedToken });
      if (issued.boundTo !== boundTo)
        throw new Failure(EXIT.failure, ["The mesh has not bound the token: it is of the release before."]);
      io.out(`${issued.token}\n`);
    });
  const join = token.command("join").summary("tokens with which workloads join the mesh, each once");
  addCreate(join, io);
  addList(join, io);
  addDelete(join, io);
}

/** Of the first certificate of a file, as files with a chain have the leaf. */
async function thumbprintIn(file: string, io: Io): Promise<string> {
  const [leaf] = readPem(await readText(file, io));
  if (leaf?.label === "CERTIFICATE") return thumbprintOf(leaf.base64);
  throw new Failure(EXIT.failure, [`${file} does not begin with a certificate in PEM.`]);
}

function addCreate(join: Command, io: Io): void {
  join
    .command("create")
    .summary("make a token with which one workload joins, once")
    .description("Prints the token and nothing else; it is told this once, and the mesh keeps only its hash.")
    .requiredOption(
      "--workload <namespace/service-account>",
      "who joins; shop/web-* for any whose name begins so",
    )
    .option("--ttl <duration>", "how long it can be used, 1m to 7d; 1h unless given")
    .action(async ({ workload, ttl }: { workload: string; ttl?: string }, command: Command) => {
      const { client } = openSession(command, io);
      const ttlSeconds = ttl === undefined ? undefined : parseDuration(ttl, "--ttl") / 1000;
      const body = { scope: workload, ttlSeconds };
      const call = { method: "POST", path: "/join-tokens", body, answer: grantedJoinToken } as const;
      const { token } = await client.call(call);
      io.out(`${token}\n`);
    });
}

function addList(join: Command, io: Io): void {
  join
    .command("list")
    .summary("list join tokens, newest first")
    .addOption(outputOption(["table", "json", "yaml"]))
    .action(async ({ output }: { output: "table" | "json" | "yaml" }, command: Command) => {
      const { client } = openSession(command, io);
      const { items } = await client.call({ path: "/join-tokens", answer: joinTokenList });
      if (output !== "table") return io.out(renderData(output, items));
      const now = Date.now();
      const rows = items.map(({ id, scope, author, expiresAt, usedBy, usedAt }) => [
        id,
        scope,
        author,
        expiresAt <= now ? "expired" : ageText(expiresAt - now),
        usedAt === null ? "" : `${usedBy ?? ""} ${ageText(now - usedAt)} ago`,
      ]);
      return io.out(renderTable(["ID", "SCOPE", "BY", "EXPIRES", "USED"], rows));
    });
}

function addDelete(join: Command, io: Io): void {
  join
    .command("delete")
    .summary("end a join token that has not been used")
    .argument("<id>", "as `token join list` has it: the part after slj_")
    .action(async (id: string, _: unknown, command: Command) => {
      const { client } = openSession(command, io);
      const path = `/join-tokens/${encodeURIComponent(id)}`;
      const { scope } = await client.call({ method: "DELETE", path, answer: joinToken });
      io.out(`join token ${plain(id)} for ${plain(scope)} ended\n`);
    });
}
