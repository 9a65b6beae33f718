/**
 * A workload outside of Cloudflare that has joined the mesh: it holds a
 * certificate and tokens, and renews both by what it holds.
 *
 * @module
 */
import { X509Certificate } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { decodeProtectedHeader, SignJWT } from "jose";
import { requestHash } from "../../shared/identity/certificate-proof.ts";
import { isBelieved, makeRequest, type Keys } from "../identity/requests.ts";
import type { Authority } from "./authority.ts";

/** The least that can be asked for: certificates below an old root are to run out. */
const CERTIFICATE_TTL_SECONDS = 600;

interface Held {
  readonly keys: Keys;
  /** DER in base64, as are those of the chain. */
  readonly certificate: string;
  readonly chain: readonly string[];
}

export interface MemberOptions {
  /** `namespace/service-account`. */
  readonly workload: string;
  /** SPIFFE ids to hold tokens for. */
  readonly audiences: readonly string[];
  /** Of the assertions by which it renews. */
  readonly trustDomain: string;
  readonly authority: Authority;
}

export interface Member {
  /** The newest token for an audience. */
  tokenFor(audience: string): string;
  /** A new key, a certificate for it by the old one, and new tokens by that. */
  renew(): Promise<void>;
  /** Whether a peer that trusts these roots, DER in base64, believes the certificate. */
  isBelievedBy(roots: readonly string[]): Promise<boolean>;
  /** What it was issued, by who signed: ids of keys, and the intermediates. */
  readonly signers: { readonly keys: ReadonlySet<string>; readonly intermediates: ReadonlySet<string> };
}

/** Joins by a join token. */
export async function joinAsMember(options: MemberOptions): Promise<Member> {
  const { workload, audiences, authority, trustDomain } = options;
  const tokens = new Map<string, string>();
  const signers = { keys: new Set<string>(), intermediates: new Set<string>() };
  let held = await certify({ joinToken: await authority.joinToken(workload) });
  await fetchTokens();

  async function certify(proof: { joinToken: string } | Held): Promise<Held> {
    const { csr, keys } = await makeRequest();
    const shown = "joinToken" in proof ? proof : { assertion: await assertion(proof, { csr }) };
    const request = { ...shown, csr, certificateTtlSeconds: CERTIFICATE_TTL_SECONDS };
    const { certificate } = await authority.join(request);
    const [leaf = "", ...chain] =
      certificate === null ? [] : derOf(certificate.certificate + certificate.chain);
    signers.intermediates.add(chain[0] ?? "");
    return { keys, certificate: leaf, chain };
  }

  async function fetchTokens(): Promise<void> {
    for (const audience of audiences) {
      const { token } = await authority.join({ assertion: await assertion(held, { audience }), audience });
      tokens.set(audience, token?.token ?? "");
      signers.keys.add(decodeProtectedHeader(token?.token ?? "").kid ?? "");
    }
  }

  async function assertion(by: Held, asked: { csr?: string; audience?: string }): Promise<string> {
    return new SignJWT({ rqh: await requestHash(asked) })
      .setProtectedHeader({ alg: "ES256", x5c: [by.certificate] })
      .setAudience(`spiffe://${trustDomain}`)
      .setIssuedAt()
      .setExpirationTime("30s")
      .sign(by.keys.privateKey);
  }

  return {
    signers,
    tokenFor: (audience) => tokens.get(audience) ?? "",
    async renew() {
      held = await certify(held);
      await fetchTokens();
    },
    isBelievedBy: (roots) => isBelieved(held, roots, Date.now()),
  };
}

/** Calls `act` every so often until a time. Takes what fails as it comes, and tells it. */
export async function every(
  { ms, until }: { readonly ms: number; readonly until: number },
  act: () => Promise<void>,
): Promise<readonly unknown[]> {
  const failures: unknown[] = [];
  for (let next = Date.now() + ms; next < until; next += ms) {
    await setTimeout(Math.max(0, next - Date.now()));
    await act().catch((error: unknown) => failures.push(error));
  }
  return failures;
}

function derOf(pem: string): readonly string[] {
  const blocks = pem.split(/(?<=-----END CERTIFICATE-----\n)/).filter((block) => block.trim() !== "");
  return blocks.map((block) => new X509Certificate(block).raw.toString("base64"));
}
