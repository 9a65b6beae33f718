import type { Command } from "commander";
import { accessList, grantedAccess, principal, revokedAccess } from "../../shared/wire/admin-access.ts";
import { ageText, parseDuration } from "../duration.ts";
import type { Io } from "../io.ts";
import { outputOption } from "../options.ts";
import { plain, renderData, renderTable } from "../output.ts";
import { openSession } from "../session.ts";

interface GrantOptions {
  readonly role: string;
  readonly namespaces?: string;
  readonly ttl?: string;
}

interface ListOptions {
  readonly output: "table" | "json" | "yaml";
}

/** Adds `selvedge access`. */
export function addAccess(program: Command, io: Io): void {
  const access = program
    .command("access")
    .summary("who may use the admin API: grant, list and revoke tokens");
  addGrant(access, io);
  addList(access, io);
  addRevoke(access, io);
  addWhoAmI(access, io);
}

function addGrant(access: Command, io: Io): void {
  access
    .command("grant")
    .summary("make a token for the admin API")
    .description("Prints the token and nothing else; it is told this once, and the mesh keeps only its hash.")
    .argument("<name>", "names the bearer in revisions and the audit log, such as ci-deploy")
    .requiredOption("--role <role>", "viewer, editor or admin")
    .option("--namespaces <names>", "where the role counts, separated by commas; an editor needs them")
    .option("--ttl <duration>", "how long it is valid, up to 366d; 90d unless given")
    .action(async (name: string, options: GrantOptions, command: Command) => {
      const { client } = openSession(command, io);
      const namespaces = options.namespaces?.split(",").map((each) => each.trim());
      const ttlSeconds = options.ttl === undefined ? undefined : parseDuration(options.ttl, "--ttl") / 1000;
      const body = { name, role: options.role, namespaces, ttlSeconds };
      const { token } = await client.call({ method: "POST", path: "/access", body, answer: grantedAccess });
      io.out(`${token}\n`);
    });
}

function addList(access: Command, io: Io): void {
  access
    .command("list")
    .summary("list tokens for the admin API")
    .addOption(outputOption(["table", "json", "yaml"]))
    .action(async ({ output }: ListOptions, command: Command) => {
      const { client } = openSession(command, io);
      const { items } = await client.call({ path: "/access", answer: accessList });
      if (output !== "table") return io.out(renderData(output, items));
      const now = Date.now();
      const rows = items.map(({ id, name, role, namespaces, createdBy, expiresAt, usedAt }) => [
        id,
        name,
        role,
        namespaces?.join(",") ?? "*",
        createdBy,
        expiresAt <= now ? "expired" : ageText(expiresAt - now),
        usedAt === null ? "never" : `${ageText(now - usedAt)} ago`,
      ]);
      return io.out(renderTable(["ID", "NAME", "ROLE", "NAMESPACES", "BY", "EXPIRES", "USED"], rows));
    });
}

function addRevoke(access: Command, io: Io): void {
  access
    .command("revoke")
    .summary("end a token for the admin API at once")
    .argument("<id>", "as `access list` has it: the part after slv_")
    .action(async (id: string, _: unknown, command: Command) => {
      const { client } = openSession(command, io);
      const path = `/access/${encodeURIComponent(id)}`;
      const { name } = await client.call({ method: "DELETE", path, answer: revokedAccess });
      io.out(`token "${plain(name)}" is revoked\n`);
    });
}

function addWhoAmI(access: Command, io: Io): void {
  access
    .command("whoami")
    .summary("tell whose token this command uses")
    .action(async (_: unknown, command: Command) => {
      const { client } = openSession(command, io);
      const { id, role, namespaces } = await client.call({ path: "/principal", answer: principal });
      io.out(`${plain(id)}: ${role} of ${plain(namespaces?.join(", ") ?? "all namespaces")}\n`);
    });
}
