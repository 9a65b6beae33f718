/**
 * Client certificates of the local mesh, from files.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { EXIT, Failure } from "../failure.ts";
import type { CertificateTarget } from "./worker-config.ts";

type Certificates = Readonly<Record<string, CertificateTarget>>;

/** Reads one `NAME=chain.pem,key.pem[,ca.pem]` and adds it to those before. */
export function clientCertificate(argument: string, before: Certificates): Certificates {
  const [, name, list] = /^([A-Za-z][A-Za-z0-9_-]{0,62})=(.+)$/.exec(argument) ?? [];
  const [chain, privateKey, authority, ...rest] = list?.split(",") ?? [];
  if (name === undefined || chain === undefined || privateKey === undefined || rest.length > 0) {
    throw new Failure(EXIT.usage, [
      `--client-certificate: "${argument}" is not NAME=chain.pem,key.pem or NAME=chain.pem,key.pem,ca.pem.`,
    ]);
  }
  const certificate = {
    chain: readPem(chain, "CERTIFICATE"),
    privateKey: readPem(privateKey, "PRIVATE KEY"),
    trusted: authority === undefined ? [] : [readPem(authority, "CERTIFICATE")],
  };
  return { ...before, [name]: { certificate } };
}

function readPem(path: string, kind: string): string {
  const text = read(path);
  if (!new RegExp(`^-----BEGIN ([A-Z]+ )?${kind}-----`, "m").test(text)) {
    throw new Failure(EXIT.usage, [`--client-certificate: ${path} holds no PEM of a ${kind.toLowerCase()}.`]);
  }
  return text;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new Failure(EXIT.usage, [`--client-certificate: ${path} cannot be read.`], { cause });
  }
}
