/**
 * How the authority issues. Everything is checked first; then the key is read
 * and the audit written in one transaction, and only then is anything signed:
 * an instance that the platform has replaced cannot write, so it cannot answer
 * with a proof either, and nothing goes out unrecorded.
 *
 * @module
 */
import type { CryptoKey } from "jose";
import type { Millis } from "../shared/engine/time.ts";
import type { SubjectKey } from "../shared/identity/certificate.ts";
import { importSigningKey } from "../shared/identity/key.ts";
import { sign } from "../shared/identity/token.ts";
import type { CertificateRequest, IssuedCertificate, IssuedToken } from "../shared/wire/authority-rpc.ts";
import { fail, succeed, type Outcome, type Problem } from "../shared/wire/problem.ts";
import type { AuditStore } from "./authority-audit.ts";
import type { RevocationStore } from "./authority-revocations.ts";
import type { AuthorityStore, SigningRow } from "./authority-store.ts";
import type { CertificateStore, LeafSigner } from "./certificate-store.ts";
import { checkCertify, MIN_CERTIFICATE_LIFE_MS, type CertificateGrant, type Grant } from "./issue-check.ts";

export interface IssuanceStores {
  readonly keys: AuthorityStore;
  readonly certificates: CertificateStore;
  readonly audit: AuditStore;
  readonly revocations: RevocationStore;
}

/** What is noted before something is signed. */
interface Stamp {
  readonly id: string;
  readonly issuedAt: Millis;
  readonly expiresAt: Millis;
}

/** A certificate that may be issued, and for which key. */
export interface CheckedCertificate {
  readonly grant: CertificateGrant;
  readonly publicKey: SubjectKey;
  readonly serial: string;
}

/** A token that is in the audit and not signed yet. */
export interface RecordedToken {
  readonly grant: Grant;
  readonly stamp: Stamp;
  readonly key: SigningRow;
}

/** A certificate that is in the audit and not signed yet. */
export interface RecordedCertificate extends CheckedCertificate {
  readonly stamp: Stamp;
  readonly signer: LeafSigner;
}

export class Issuance {
  readonly #stores: IssuanceStores;
  /** The imported current key: a cache, asked for by `kid`. */
  #signing: { readonly kid: string; readonly privateKey: CryptoKey } | null = null;

  constructor(stores: IssuanceStores) {
    this.#stores = stores;
  }

  /**
   * Notes a token that is to be signed, and in `boundTo` as the audit has it
   * the certificate that it is to be bound to. Must be called in a transaction.
   */
  recordToken(grant: Grant, boundTo: string | null = thumbprintText(grant)): RecordedToken {
    const key = this.#stores.keys.signingKey();
    if (key === null) throw new Error("the authority has no current key");
    const issuedAt = this.#issuedNow(grant.subject);
    const stamp = { id: crypto.randomUUID(), issuedAt, expiresAt: issuedAt + grant.ttlMs };
    const { subject, audience, requester } = grant;
    const line = { kind: "jwt-svid", id: stamp.id, subject, audience, issuer: key.kid, requester } as const;
    const binding = boundTo === null ? {} : { boundTo };
    this.#stores.audit.record({ ...line, ...binding, at: issuedAt, expiresAt: stamp.expiresAt });
    return { grant, stamp, key };
  }

  /** Signs what was noted; `boundTo` is the thumbprint of the certificate, which may have been signed since. */
  async signToken(
    { grant, stamp, key }: RecordedToken,
    boundTo: string | null = grant.boundTo,
  ): Promise<IssuedToken> {
    const token = await sign({ ...grant, ...stamp, boundTo }, await this.#import(key));
    return { token, subject: grant.subject, ...stamp, ...(boundTo === null ? {} : { boundTo }) };
  }

  /** Checks a request for a certificate, its key included. */
  async checkCertificate(
    request: CertificateRequest,
    trustDomain: string,
  ): Promise<Outcome<CheckedCertificate>> {
    const checked = checkCertify(request, trustDomain);
    if (!checked.ok) return fail(checked.problem);
    const { readRequest } = await import("../shared/identity/certificate-request.ts");
    const publicKey = await readRequest(request.csr);
    if ("refusal" in publicKey) {
      const fields = [{ path: "csr", message: publicKey.refusal }];
      return fail({ code: "request.malformed", detail: "The certificate was not issued.", fields });
    }
    const { newSerial } = await import("../shared/identity/certificate.ts");
    return succeed({ grant: checked.value, publicKey, serial: newSerial() });
  }

  /** Notes a certificate that is to be signed, or writes nothing and says why not. Must be called in a transaction. */
  recordCertificate(checked: CheckedCertificate): Outcome<RecordedCertificate> {
    const { certificates, audit } = this.#stores;
    const { subject, ttlMs, requester } = checked.grant;
    const signer = certificates.leafSigner();
    if (signer === null) throw new Error("the authority has no intermediate");
    const issuedAt = this.#issuedNow(subject);
    const expiresAt = Math.min(issuedAt + ttlMs, signer.notAfter);
    if (expiresAt < issuedAt + MIN_CERTIFICATE_LIFE_MS) return fail(OUTLIVED);
    const id = checked.serial;
    const line = { kind: "x509-svid", id, subject, audience: "", issuer: signer.id, requester } as const;
    audit.record({ ...line, at: issuedAt, expiresAt });
    certificates.need(signer.id, expiresAt);
    return succeed({ ...checked, signer, stamp: { id, issuedAt, expiresAt } });
  }

  async signCertificate(recorded: RecordedCertificate): Promise<IssuedCertificate> {
    const { makeLeaf, BACKDATED_MS } = await import("../shared/identity/certificate.ts");
    const { publicKey, serial, signer } = recorded;
    const { subject } = recorded.grant;
    const { issuedAt, expiresAt } = recorded.stamp;
    const certificate = await makeLeaf({ subject, publicKey, serial, issuedAt, expiresAt }, signer);
    const notBefore = issuedAt - BACKDATED_MS;
    return { certificate, chain: signer.chain, serial, subject, notBefore, expiresAt };
  }

  /** In whole seconds. What is issued right after its subject was revoked counts from the second after. */
  #issuedNow(subject: string): Millis {
    return Math.max(Math.floor(Date.now() / 1000) * 1000, this.#stores.revocations.countsFrom(subject));
  }

  async #import({ kid, privateJwk }: SigningRow): Promise<{ kid: string; privateKey: CryptoKey }> {
    if (this.#signing?.kid === kid) return this.#signing;
    this.#signing = { kid, privateKey: await importSigningKey(privateJwk) };
    return this.#signing;
  }
}

function thumbprintText({ boundTo }: Grant): string | null {
  return boundTo === null ? null : `thumbprint/${boundTo}`;
}

const OUTLIVED: Problem = {
  code: "config.conflict",
  detail: "The authority's own certificate is about to expire: load another, see `selvedge ca status`.",
};
