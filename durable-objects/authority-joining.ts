/**
 * Joining the mesh with a token that is good once: made by an operator, spent
 * in the same transaction that writes the audit of what is got for it. Who has
 * joined renews with the certificate itself.
 *
 * @module
 */
import { spiffeId } from "../shared/identity/spiffe.ts";
import { thumbprintOf } from "../shared/identity/thumbprint.ts";
import type {
  GrantedJoinToken,
  IssuedCertificate,
  Joined,
  JoinRequest,
  JoinToken,
  JoinTokenRequest,
  RenewRequest,
} from "../shared/wire/authority-rpc.ts";
import { fail, succeed, type Outcome, type Problem } from "../shared/wire/problem.ts";
import { hashToken, makeToken, tokenId } from "./admin-token.ts";
import type {
  CheckedCertificate,
  Issuance,
  IssuanceStores,
  RecordedCertificate,
  RecordedToken,
} from "./authority-issuance.ts";
import { checkIssue, type Grant } from "./issue-check.ts";
import { checkJoinToken, judgeJoin, SPENT } from "./join-check.ts";
import { JoinStore } from "./join-store.ts";

/** Join tokens of one mesh: more are a sign that somebody makes them and does not use them. */
const MAX_JOIN_TOKENS = 10_000;

/** Somebody who may join, and what for. */
export interface Admitted {
  /** Of the join token that is to be spent; `null` where a certificate is the proof. */
  readonly id: string | null;
  readonly workload: string;
  readonly certificate: CheckedCertificate | null;
  readonly token: Grant | null;
  /** What the token is to be bound to: the certificate that is the proof, or the one that is issued with it; `null`: nothing. */
  readonly binding: Binding | null;
}

type Binding =
  | { readonly kind: "proof"; readonly serial: string; readonly thumbprint: string }
  | { readonly kind: "issued"; readonly serial: string };

/** Who asks, by what. */
interface Asker {
  /** Of the join token; `null` where a certificate is the proof. */
  readonly id: string | null;
  readonly workload: string;
  readonly requester: string;
  readonly proof: Extract<Binding, { readonly kind: "proof" }> | null;
}

export class Joining {
  readonly #store: JoinStore;
  readonly #storage: DurableObjectStorage;
  readonly #stores: Pick<IssuanceStores, "certificates" | "revocations">;
  readonly #issuance: Issuance;
  readonly #trustDomain: string;

  constructor(
    storage: DurableObjectStorage,
    issuance: Issuance,
    stores: Pick<IssuanceStores, "certificates" | "revocations">,
    trustDomain: string,
  ) {
    this.#storage = storage;
    this.#store = new JoinStore(storage.sql);
    this.#stores = stores;
    this.#issuance = issuance;
    this.#trustDomain = trustDomain;
  }

  /** Makes a token. It is told once; only its hash is kept. */
  async create(request: JoinTokenRequest): Promise<Outcome<GrantedJoinToken>> {
    const checked = checkJoinToken(request);
    if (!checked.ok) return fail(checked.problem);
    const createdAt = Date.now();
    this.#store.prune(createdAt);
    if (this.#store.count() >= MAX_JOIN_TOKENS) return fail(FULL);
    const { id, token } = makeToken("slj");
    const hash = await hashToken(token);
    const { scope, author, ttlSeconds } = request;
    const expiresAt = createdAt + ttlSeconds * 1000;
    const made = { id, scope, author, createdAt, expiresAt, usedBy: null, usedAt: null };
    this.#store.add(made, hash);
    return succeed({ ...made, token });
  }

  list(): readonly JoinToken[] {
    this.#store.prune(Date.now());
    return this.#store.list();
  }

  delete(id: string): Outcome<JoinToken> {
    const token = this.#store.delete(id);
    return token === null ? fail(GONE) : succeed(token);
  }

  /** Decides who joins, and checks all that is asked for. Spends nothing. */
  async admit(request: JoinRequest): Promise<Outcome<Admitted>> {
    const found = await this.#find(request.token);
    if (found === null) return fail(UNKNOWN);
    const judged = judgeJoin(found, request.workload, Date.now());
    if (!judged.ok) return fail(judged.problem);
    const { id, author } = found;
    const requester = `join-token/${id} by ${author}`;
    return this.#check({ id, workload: judged.value, requester, proof: null }, request);
  }

  /** The same for somebody with a certificate of the mesh, who has no token to spend. */
  async admitAgain(request: RenewRequest): Promise<Outcome<Admitted>> {
    const { certificates, revocations } = this.#stores;
    const { readProof, requestHash } = await import("../shared/identity/certificate-proof.ts");
    const proof = await readProof(request.assertion, {
      intermediates: certificates.intermediates(),
      trustDomain: this.#trustDomain,
      requestHash: await requestHash(request),
      now: Date.now(),
    });
    if ("refusal" in proof) {
      return fail({ code: "authn.token.invalid", detail: `Nothing was issued: ${proof.refusal}.` });
    }
    const { id, serial, thumbprint, issuedAt } = proof;
    const workload = `${id.namespace}/${id.serviceAccount}`;
    const subject = spiffeId(id.trustDomain, id.namespace, id.serviceAccount);
    if (revocations.isRevoked({ id: serial, subject, issuedAt })) return fail(REVOKED);
    if (request.workload !== undefined && request.workload !== workload) {
      return fail({ code: "admin.forbidden", detail: `The certificate is for ${workload}.` });
    }
    const requester = `certificate/${serial}`;
    return this.#check(
      { id: null, workload, requester, proof: { kind: "proof", serial, thumbprint } },
      request,
    );
  }

  async #check(
    { id, proof, ...asker }: Asker,
    request: Omit<JoinRequest, "token">,
  ): Promise<Outcome<Admitted>> {
    const certificate = await this.#checkCertificate(asker, request);
    if (certificate?.ok === false) return fail(certificate.problem);
    const token = this.#checkToken(asker, request);
    if (token?.ok === false) return fail(token.problem);
    if (certificate === null && token === null) return fail(NOTHING);
    const { workload } = asker;
    const wanted = { id, workload, certificate: certificate?.value ?? null, token: token?.value ?? null };
    if (request.isBound !== true) return succeed({ ...wanted, binding: null });
    const serial = wanted.certificate?.serial;
    const binding: Binding | null = serial === undefined ? proof : { kind: "issued", serial };
    return binding === null || token === null ? fail(UNBINDABLE) : succeed({ ...wanted, binding });
  }

  /** Spends the token and issues. Of several at once one gets what it asks for. */
  async join(admitted: Admitted): Promise<Outcome<Joined>> {
    const recorded = this.#storage.transactionSync(() => this.#record(admitted));
    if (!recorded.ok) return fail(recorded.problem);
    const { value } = recorded;
    const certificate =
      value.certificate === null ? null : await this.#issuance.signCertificate(value.certificate);
    const boundTo = await boundThumbprint(admitted.binding, certificate);
    const token = value.token === null ? null : await this.#issuance.signToken(value.token, boundTo);
    return succeed({ certificate, token });
  }

  /** Writes only once nothing can be refused any more. */
  #record({ id, workload, certificate, token, binding }: Admitted): Outcome<Recorded> {
    const now = Date.now();
    if (id !== null && !this.#store.isOpen(id, now)) return fail(SPENT);
    const first = certificate === null ? null : this.#issuance.recordCertificate(certificate);
    if (first?.ok === false) return fail(first.problem);
    if (id !== null) this.#store.spend(id, workload, now);
    const boundTo = binding === null ? null : `certificate/${binding.serial}`;
    const second = token === null ? null : this.#issuance.recordToken(token, boundTo);
    return succeed({ certificate: first?.value ?? null, token: second });
  }

  async #find(token: string): Promise<JoinToken | null> {
    const id = tokenId(token, "slj");
    return id === null ? null : this.#store.find(id, await hashToken(token));
  }

  async #checkCertificate(
    asker: { readonly workload: string; readonly requester: string },
    { csr, certificateTtlSeconds }: Omit<JoinRequest, "token">,
  ): Promise<Outcome<CheckedCertificate> | null> {
    if (csr === undefined) return null;
    const life = certificateTtlSeconds === undefined ? {} : { ttlSeconds: certificateTtlSeconds };
    return this.#issuance.checkCertificate({ ...asker, csr, ...life }, this.#trustDomain);
  }

  #checkToken(
    asker: { readonly workload: string; readonly requester: string },
    { audience }: Omit<JoinRequest, "token">,
  ): Outcome<Grant> | null {
    if (audience === undefined) return null;
    return checkIssue({ ...asker, audience }, this.#trustDomain);
  }
}

/** What is in the audit and not signed yet. */
interface Recorded {
  readonly certificate: RecordedCertificate | null;
  readonly token: RecordedToken | null;
}

/** The thumbprint of what a token is bound to: known only once that is signed. */
async function boundThumbprint(
  binding: Binding | null,
  issued: IssuedCertificate | null,
): Promise<string | null> {
  if (binding?.kind === "proof") return binding.thumbprint;
  if (binding === null) return null;
  if (issued === null) throw new Error("a token is to be bound to a certificate that was not issued");
  return thumbprintOf(issued.certificate);
}

const UNKNOWN: Problem = {
  code: "authn.token.invalid",
  detail: "This mesh does not know the join token: check that it is complete, or ask for a new one.",
};

const REVOKED: Problem = {
  code: "authn.revoked",
  detail: "The certificate was revoked: join anew.",
};

const GONE: Problem = {
  code: "resource.not_found",
  detail: "There is no join token of this id that has not been used.",
};

const NOTHING: Problem = {
  code: "request.malformed",
  detail: "Ask for a certificate (csr), a token (audience), or both.",
};

const UNBINDABLE: Problem = {
  code: "request.malformed",
  detail:
    "Only a token can be bound (audience), and only to a certificate: ask for one too (csr), or prove yourself by one.",
};

const FULL: Problem = {
  code: "config.conflict",
  detail: `There are ${MAX_JOIN_TOKENS} join tokens that have not expired: delete some first.`,
};
