import { Option, type Command } from "commander";
import { writePem } from "../../shared/identity/pem.ts";
import { keySet } from "../../shared/wire/admin.ts";
import * as wire from "../../shared/wire/admin-authority.ts";
import { printStatus } from "../authority-status.ts";
import { ageText, parseDuration } from "../duration.ts";
import { EXIT, Failure } from "../failure.ts";
import type { Io } from "../io.ts";
import { outputOption, wholeNumber } from "../options.ts";
import { paint, plain, renderData, renderTable } from "../output.ts";
import { readText } from "../read-text.ts";
import { openSession } from "../session.ts";

type Output = { readonly output: "table" | "json" | "yaml" };

/** Adds `selvedge ca`. */
export function addAuthority(program: Command, io: Io): void {
  const ca = program
    .command("ca")
    .summary("operate the certificate authority: certificates, rotation, revocation, audit");
  addStatus(ca, io);
  addRotate(ca, io);
  addBundle(ca, io);
  addIssue(ca, io);
  addLoad(ca, io);
  addRevoke(ca, io);
  addRevocations(ca, io);
  addAudit(ca, io);
}

function addStatus(ca: Command, io: Io): void {
  ca.command("status")
    .summary("show roots, intermediate and signing keys, and what becomes of them")
    .addOption(outputOption(["table", "json", "yaml"]))
    .action(async ({ output }: Output, command: Command) => {
      const { client } = openSession(command, io);
      const status = await client.call({ path: "/ca", answer: wire.authorityStatus });
      if (output !== "table") return io.out(renderData(output, status));
      return printStatus(io, status);
    });
}

function addRotate(ca: Command, io: Io): void {
  ca.command("rotate")
    .summary("replace the signing key, the intermediate or the root, without a failed call")
    .description(
      "An intermediate changes at once. A signing key has to be known to hosts for a minute and a root to be in " +
        "the bundle for ten before they count: until then the rotation waits, and `selvedge ca status` says so.",
    )
    .option("--signing-key", "the key of tokens")
    .option("--intermediate", "the one that signs certificates")
    .option("--root", "the root, and an intermediate below it")
    .action(async (options: Readonly<Record<string, true | undefined>>, command: Command) => {
      const what = chooseOne({
        "signing-key": options["signingKey"],
        intermediate: options["intermediate"],
        root: options["root"],
      });
      const { client } = openSession(command, io);
      const call = {
        method: "POST",
        path: "/ca/rotate",
        body: { what },
        answer: wire.authorityStatus,
      } as const;
      printStatus(io, await client.call(call));
    });
}

function addBundle(ca: Command, io: Io): void {
  ca.command("bundle")
    .summary("print what certificates and tokens are checked with")
    .addOption(
      new Option("--format <format>", "roots as PEM, the SPIFFE trust bundle, or keys of tokens as a JWK Set")
        .choices(["pem", "spiffe", "jwks"])
        .default("pem"),
    )
    .action(async ({ format }: { format: "pem" | "spiffe" | "jwks" }, command: Command) => {
      const { client } = openSession(command, io);
      if (format === "jwks") {
        const keys = await client.call({ path: "/.well-known/jwks.json", answer: keySet });
        return io.out(renderData("json", keys));
      }
      const bundle = await client.call({
        path: "/.well-known/spiffe/bundle",
        answer: wire.trustBundleDocument,
      });
      if (format === "spiffe") return io.out(renderData("json", bundle));
      const roots = bundle.keys.flatMap(({ x5c = [] }) => x5c);
      return io.out(roots.map((root) => writePem("CERTIFICATE", root)).join(""));
    });
}

interface IssueOptions {
  readonly as: string;
  readonly csr: string;
  readonly ttl?: string;
}

function addIssue(ca: Command, io: Io): void {
  ca.command("issue")
    .summary("issue a certificate for a workload")
    .description(
      "Prints the certificate and its chain as PEM. Nothing but the key is taken from the request; whoever holds " +
        "that key is the workload until the certificate expires.",
    )
    .requiredOption("--as <namespace/service-account>", "who holds the key")
    .requiredOption("--csr <file>", "a request in PEM, as of `openssl req -new`; - is standard input")
    .option("--ttl <duration>", "how long it is valid, 10m to 168h; 24h unless given")
    .action(async ({ as, csr, ttl }: IssueOptions, command: Command) => {
      const { client } = openSession(command, io);
      const ttlSeconds = ttl === undefined ? undefined : parseDuration(ttl, "--ttl") / 1000;
      const body = { workload: as, csr: await readText(csr, io), ttlSeconds };
      const call = {
        method: "POST",
        path: "/ca/certificates",
        body,
        answer: wire.issuedCertificate,
      } as const;
      const { certificate, chain, serial, expiresAt } = await client.call(call);
      io.out(certificate + chain);
      io.err(`Serial ${plain(serial)}, valid until ${new Date(expiresAt).toISOString()}.\n`);
    });
}

function addLoad(ca: Command, io: Io): void {
  ca.command("load")
    .summary("sign with another authority's intermediate from now on")
    .description(
      "The chain begins with the intermediate and ends with its root. Where verifiers do not know the root yet, " +
        "it is put into the bundle first, and the intermediate signs ten minutes later.",
    )
    .requiredOption("--chain <file>", "certificates in PEM: intermediate, its issuers, root")
    .requiredOption(
      "--key <file>",
      "the intermediate's key in PEM, PKCS #8, ECDSA P-256; - is standard input",
    )
    .action(async ({ chain, key }: { chain: string; key: string }, command: Command) => {
      const { client } = openSession(command, io);
      const body = { chain: await readText(chain, io), key: await readText(key, io) };
      const call = { method: "POST", path: "/ca/load", body, answer: wire.authorityStatus } as const;
      printStatus(io, await client.call(call));
    });
}

interface RevokeOptions {
  readonly serial?: string;
  readonly jti?: string;
  readonly identity?: string;
  readonly reason: string;
}

function addRevoke(ca: Command, io: Io): void {
  ca.command("revoke")
    .summary("revoke a certificate, a token, or everything that a workload was issued until now")
    .option("--serial <hex>", "a certificate, by its serial number")
    .option("--jti <id>", "a token, by its jti")
    .option("--identity <namespace/service-account>", "whatever the workload was issued until now")
    .option("--reason <text>", "kept with the revocation", "")
    .action(async ({ reason, ...options }: RevokeOptions, command: Command) => {
      const kind = chooseOne({ serial: options.serial, jti: options.jti, identity: options.identity });
      const { client } = openSession(command, io);
      const body = { kind, value: options[kind], reason };
      const call = { method: "POST", path: "/ca/revocations", body, answer: wire.revocation } as const;
      const { value, until, isKnown } = await client.call(call);
      io.out(`${kind} ${plain(value)} revoked\n`);
      io.err(`It is kept until ${new Date(until).toISOString()}, when all that it concerns has expired.\n`);
      if (!isKnown) io.err(`${paint(io, "yellow", "Warning:")} the audit knows nothing issued under it.\n`);
    });
}

function addRevocations(ca: Command, io: Io): void {
  ca.command("revocations")
    .summary("list revocations that still matter, newest first")
    .addOption(outputOption(["table", "json", "yaml"]))
    .action(async ({ output }: Output, command: Command) => {
      const { client } = openSession(command, io);
      const { items } = await client.call({ path: "/ca/revocations", answer: wire.revocationList });
      if (output !== "table") return io.out(renderData(output, items));
      const rows = items.map(({ kind, value, at, until, author, reason }) => [
        kind,
        value,
        ageText(Date.now() - at),
        new Date(until).toISOString(),
        author,
        reason,
      ]);
      return io.out(renderTable(["KIND", "VALUE", "AGE", "UNTIL", "AUTHOR", "REASON"], rows));
    });
}

interface AuditOptions extends Output {
  readonly limit: number;
  readonly before?: number;
  readonly workload?: string;
}

function addAudit(ca: Command, io: Io): void {
  ca.command("audit")
    .summary("list what was issued to whom, newest first")
    .option("--workload <namespace/service-account>", "only to this one")
    .option("--limit <n>", "at most so many, up to 1000", wholeNumber, 20)
    .option("--before <number>", "only lines older than this one", wholeNumber)
    .addOption(outputOption(["table", "json", "yaml"]))
    .action(async ({ limit, before, workload, output }: AuditOptions, command: Command) => {
      const { client } = openSession(command, io);
      const query = {
        limit: String(limit),
        before: before === undefined ? undefined : String(before),
        workload,
      };
      const { items, next } = await client.call({ path: "/ca/audit", query, answer: wire.auditPage });
      if (output !== "table") return io.out(renderData(output, items));
      const rows = items.map(({ number, kind, id, subject, requester, at, expiresAt, boundTo }) => [
        String(number),
        ageText(Date.now() - at),
        kind,
        subject,
        id,
        requester,
        new Date(expiresAt).toISOString(),
        boundTo ?? "",
      ]);
      const head = ["NUMBER", "AGE", "KIND", "SUBJECT", "ID", "REQUESTER", "EXPIRES", "BOUND TO"];
      io.out(renderTable(head, rows));
      if (next !== null) io.err(`More with --before ${next}.\n`);
    });
}

/** The one name that has a value: more or fewer are a mistake. */
function chooseOne<Name extends string>(given: Readonly<Record<Name, unknown>>): Name {
  const names: Name[] = [];
  for (const name in given) names.push(name);
  const [chosen, ...others] = names.filter((name) => given[name] !== undefined);
  if (chosen !== undefined && others.length === 0) return chosen;
  throw new Failure(EXIT.usage, [`Write one of ${names.map((name) => `--${name}`).join(", ")}.`]);
}
