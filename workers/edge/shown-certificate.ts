/**
 * What the platform tells of a client's certificate, `cf.tlsClientAuth`,
 * read as strictly as any input.
 *
 * @module
 */
import type { ShownCertificate } from "../../shared/forward/client-certificate.ts";

const load: ShownCertificate["load"] = () => import("../../shared/identity/client-certificate.ts");

/**
 * The certificate of a request's connection; `null` when the client has shown
 * none. What is missing, or of another form than the platform documents,
 * counts as the worst: a certificate that nobody could verify.
 */
export function shownCertificate(cf: unknown): ShownCertificate | null {
  const told = isObject(cf) ? cf["tlsClientAuth"] : undefined;
  // `0` is what it says of clients without a certificate.
  if (!isObject(told) || told["certPresented"] === "0" || told["certPresented"] === undefined) return null;
  const { certPresented, certVerified, certRevoked, certRFC9440, certChainRFC9440 } = told;
  const [leaf = "", ...others] = itemsOf(certRFC9440);
  const isReadable = certPresented === "1" && others.length === 0;
  return {
    verdict: isReadable && typeof certVerified === "string" ? certVerified : "",
    isRevoked: certRevoked !== "0",
    leaf,
    chain: itemsOf(certChainRFC9440),
    load,
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** A list of byte sequences (RFC 9440 §2.2, RFC 8941 §3.3.5), `:AAEC:, :AwQF:`; empty when it is anything else. */
function itemsOf(value: unknown): string[] {
  if (typeof value !== "string" || value === "") return [];
  const items = value.split(",").map((item) => /^\s*:([A-Za-z0-9+/]+={0,2}):\s*$/.exec(item)?.[1] ?? "");
  return items.includes("") ? [] : items;
}
