/**
 * The texts that policies compare with.
 *
 * @module
 */
import { z } from "zod";
import { parseAddressBlock } from "../../engine/address-block.ts";
import { isTemplate } from "../../engine/path-template.ts";
import { canonicalPathMatch, canonicalTemplate, UNREACHABLE } from "../path-match.ts";

/** Exact, `prefix*`, `*suffix` or `*` (present and not empty). */
export const pattern = z
  .string()
  .min(1)
  .max(1024)
  .refine((text) => !text.slice(1, -1).includes("*"), "'*' may stand at the beginning or at the end only")
  .refine((text) => text.length < 2 || !(text.startsWith("*") && text.endsWith("*")), {
    error: "'*' may stand at one end only",
  });

/** What a header's value is compared with: a pattern, or `*part*`. */
export const headerPattern = pattern.or(
  z
    .string()
    .max(1024)
    .regex(/^\*[^*]+\*$/, "'*' may stand at the beginning, at the end, or at both"),
);

/** 1 to 256 values. */
export function oneOrMore<Schema extends z.ZodType>(schema: Schema) {
  return z.array(schema).min(1).max(256).optional();
}

/** A workload as policies write it. */
export const principal = pattern.refine(
  (text) => !text.startsWith("spiffe:"),
  "write <trust-domain>/ns/<namespace>/sa/<name>, without spiffe://",
);

/** A pattern of a path, or a template with `{*}` and `{**}`. */
export const pathPattern = z
  .string()
  .min(1)
  .max(1024)
  .superRefine((text, context) => {
    for (const message of isTemplate(text) ? flawsOfTemplate(text) : flawsOfPath(text))
      context.addIssue({ code: "custom", message });
  });

function flawsOfTemplate(text: string): string[] {
  if (canonicalTemplate(text) !== null) return [];
  return ["is no path template: {*} and {**} are whole segments, at most one {**}, no operator after it"];
}

function flawsOfPath(text: string): string[] {
  const flaws = pattern.safeParse(text).error?.issues.map(({ message }) => message) ?? [];
  return flaws.length > 0 || canonicalPathMatch(text) !== null ? flaws : [UNREACHABLE];
}

/** A host without a port. `host:*`, its other half where proxies compare hosts as they were sent (Istio), is the same. */
export const hostPattern = z
  .string()
  .transform((text) => text.replace(/(?<=.):\*$/, ""))
  .pipe(pattern)
  .refine((text) => !text.includes(":"), "hosts are compared without a port: use ports");

/** A port as Istio writes it, a string; a number will do. */
export const portText = z
  .union([z.string(), z.int()])
  .transform(String)
  .refine(isPort, "must be a port, 1 to 65535");

/** Whether a text is a port, 1 to 65535. */
export function isPort(text: string): boolean {
  return /^[1-9][0-9]{0,4}$/.test(text) && Number(text) <= 65_535;
}

/** An IPv4 or IPv6 address, or a block of them. */
export const addressBlock = z
  .string()
  .max(64)
  .refine(
    (text) => parseAddressBlock(text) !== null,
    "write an address or a block: 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32",
  );

/** An end user: `issuer/subject`, either half a pattern; `*` is anybody with a token. */
export const userPattern = z
  .string()
  .min(1)
  .max(1024)
  .refine((text) => text.includes("/") || text.startsWith("*") || text.endsWith("*"), "write issuer/subject");

/** An account of the policy's namespace, or `namespace/account`. */
export const serviceAccount = z
  .string()
  .max(320)
  .regex(
    /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\/)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/,
    "write namespace/account, or an account of the policy's namespace; no '*'",
  );
