/**
 * Joining the mesh with a token that is good once: made by an operator, spent
 * in the same transaction that writes the audit of what is got for it. Who has
 * joined renews with the certificate itself.
 *
 * @module
 */
import { spiffeId } from "../shared/identity/spiffe.ts";
import type {
  GrantedJoinToken,
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
    return this.#check({ id, workload: judged.value, requester: `join-token/${id} by ${author}` }, request);
  }

  /** The same for somebody with a certificate of the mesh, who has no token to spend. */
  async admitAgain(request: RenewRequest): Promise<Outcome<Admitted>> {
    const { certificates, revocations } = this.#stores;
    const { readProof, requestHash } = await import("../shared/identity/certificate-proof.ts");
    const proof = await readProof(request.assertion, {
      intermediates: certificates.intermediates(),
      trustDomain: this.#trustDomain,
      requestHash: await requestHash(request.csr, request.audience),
      now: Date.now(),
    });
    if ("refusal" in proof) {
      return fail({ code: "authn.token.invalid", detail: `Nothing was issued: ${proof.refusal}.` });
    }
    const { id, serial, issuedAt } = proof;
    const workload = `${id.namespace}/${id.serviceAccount}`;
    const subject = spiffeId(id.trustDomain, id.namespace, id.serviceAccount);
    if (revocations.isRevoked({ id: serial, subject, issuedAt })) return fail(REVOKED);
    if (request.workload !== undefined && request.workload !== workload) {
      return fail({ code: "admin.forbidden", detail: `The certificate is for ${workload}.` });
    }
    return this.#check({ id: null, workload, requester: `certificate/${serial}` }, request);
  }

  async #check(
    { id, ...asker }: { readonly id: string | null; readonly workload: string; readonly requester: string },
    request: Omit<JoinRequest, "token">,
  ): Promise<Outcome<Admitted>> {
    const certificate = await this.#checkCertificate(asker, request);
    if (certificate?.ok === false) return fail(certificate.problem);
    const token = this.#checkToken(asker, request);
    if (token?.ok === false) return fail(token.problem);
    if (certificate === null && token === null) return fail(NOTHING);
    const { workload } = asker;
    return succeed({ id, workload, certificate: certificate?.value ?? null, token: token?.value ?? null });
  }

  /** Spends the token and issues. Of several at once one gets what it asks for. */
  async join({ id, workload, certificate, token }: Admitted): Promise<Outcome<Joined>> {
    const recorded = this.#storage.transactionSync(() => this.#record(id, workload, { certificate, token }));
    if (!recorded.ok) return fail(recorded.problem);
    return succeed({
      certificate:
        recorded.value.certificate === null
          ? null
          : await this.#issuance.signCertificate(recorded.value.certificate),
      token: recorded.value.token === null ? null : await this.#issuance.signToken(recorded.value.token),
    });
  }

  /** Writes only once nothing can be refused any more. */
  #record(
    id: string | null,
    workload: string,
    { certificate, token }: Pick<Admitted, "certificate" | "token">,
  ): Outcome<{ readonly certificate: RecordedCertificate | null; readonly token: RecordedToken | null }> {
    const now = Date.now();
    if (id !== null && !this.#store.isOpen(id, now)) return fail(SPENT);
    const first = certificate === null ? null : this.#issuance.recordCertificate(certificate);
    if (first?.ok === false) return fail(first.problem);
    if (id !== null) this.#store.spend(id, workload, now);
    const second = token === null ? null : this.#issuance.recordToken(token);
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

const FULL: Problem = {
  code: "config.conflict",
  detail: `There are ${MAX_JOIN_TOKENS} join tokens that have not expired: delete some first.`,
};
