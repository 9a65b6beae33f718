/**
 * Certificates as the admin API answers them.
 *
 * @module
 */
import { writePem } from "../../shared/identity/pem.ts";
import type { IssuedCertificate } from "../../shared/wire/authority-rpc.ts";

/** The same in PEM: what TLS libraries read from files. */
export function asPem({ certificate, chain, ...told }: IssuedCertificate) {
  return { ...told, certificate: write(certificate), chain: chain.map(write).join("") };
}

function write(certificate: string): string {
  return writePem("CERTIFICATE", certificate);
}
