/**
 * Who calls: exactly one identity or none. A bad credential is refused, never
 * taken for nobody.
 *
 * @module
 */
import type { Caller } from "../engine/authorize.ts";
import { DIRECTORY } from "../engine/snapshot.ts";
import type { DirectoryUnit } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import { cachedVerify, isRemembered } from "../identity/token-cache.ts";
import { issuerHint } from "../identity/token.ts";
import type { TokenContext, TokenVerdict } from "../identity/token.ts";
import { certificateOf } from "./client-certificate.ts";
import type { KnownCertificate, ShownCertificate } from "./client-certificate.ts";
import type { LinkedDirectory } from "./directory.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";
import type { Mesh } from "./state.ts";
import { lookAgain } from "./sync.ts";

/** What is believed, and whom. */
export interface Credentials {
  readonly headers: Headers;
  /** Proved by the platform: the props of the binding that the call came through. */
  readonly vouched: Caller | null;
  /** The client's certificate. Absent: it has shown none, or the host cannot see any. */
  readonly certificate?: ShownCertificate | null | undefined;
  /** SPIFFE ids that a token may be for. */
  readonly audiences: readonly string[];
}

/** A token of the mesh that came with a call and was verified. */
export interface ShownToken {
  /** Its `jti`: with the audience, what names it. */
  readonly id: string;
  readonly audience: string;
  readonly expiresAt: Millis;
}

/** The tokens that came with one call, shared by all of its tries and copies. */
export interface Shown {
  readonly tokens: readonly ShownToken[];
  /** As of the identity. */
  readonly isUnbound: boolean;
  /** What came of spending them; `null` until a callee asks for tokens that count once. */
  spending: Promise<Refusal | null> | null;
}

export interface Identity {
  readonly kind: "identity";
  readonly caller: Caller | null;
  /** One for each field that held one. None: the caller is proved by a certificate or the platform, or is nobody. */
  readonly tokens: readonly ShownToken[];
  /** Nothing but tokens says who calls, and they say it of whoever holds them: no certificate or platform stands behind them. */
  readonly isUnbound: boolean;
  /** The edge has run the inbound half already. */
  readonly isAdmitted: boolean;
  /** `authorization` held a token for the mesh: it is not for the callee. */
  readonly isBearerOurs: boolean;
}

/** In any case (RFC 9110 §11.1): a token that was not taken for one would go on to the callee, who could use it. */
const SCHEME = /^bearer\s/i;

/** What most calls show. */
const NO_TOKENS: readonly ShownToken[] = [];

/** A younger directory would say the same of these. */
const FINAL: readonly string[] = ["authn.token.expired", "authn.token.unbound", "authn.revoked"];

/** What an identity has shown, before any of it is spent. */
export function shownBy({ tokens, isUnbound }: Pick<Identity, "tokens" | "isUnbound">): Shown {
  return { tokens, isUnbound, spending: null };
}

/** Establishes the caller. The directory must be loaded; without it there are no keys, and tokens are refused. */
export async function identify(mesh: Mesh, credentials: Credentials): Promise<Identity | Refusal> {
  const directory = directoryOf(mesh);
  const peer = ownPeer(mesh, credentials.headers.get("x-selvedge-peer"), directory);
  const bearer = meshBearer(mesh, credentials.headers.get("authorization"), directory);
  let caller = credentials.vouched;
  let isAdmitted = false;
  let tokens = NO_TOKENS;
  const shown = credentials.certificate ?? null;
  const proved = shown === null ? null : await certified(mesh, shown);
  if (proved !== null) {
    if ("kind" in proved) return proved;
    if (caller !== null && caller.principal !== proved.caller.principal) return differing();
    ({ caller } = proved);
  }
  const isUnbound = caller === null;
  const asked = { audiences: credentials.audiences, certificate: proved?.thumbprint };
  for (const token of [peer, bearer]) {
    if (token === null) continue;
    const verifying = verifyNow(mesh, token, asked);
    const verdict =
      verifying instanceof Promise || verifying.kind === "reject"
        ? await secondLook(mesh, token, asked, verifying)
        : verifying;
    if (verdict.kind === "reject") return refuse(verdict.code, verdict.detail);
    if (caller !== null && caller.principal !== verdict.caller.principal) return differing();
    caller = verdict.caller;
    isAdmitted ||= token === peer && verdict.isAdmitted;
    const { id, audience, expiresAt } = verdict;
    tokens = [...tokens, { id, audience, expiresAt }];
  }
  const isBearerOurs = bearer !== null;
  return {
    kind: "identity",
    caller,
    tokens,
    isUnbound: isUnbound && caller !== null,
    isAdmitted,
    isBearerOurs,
  };
}

/** A certificate and its owner; looks again when it fails, for its root may be younger than our directory. */
async function certified(mesh: Mesh, shown: ShownCertificate): Promise<KnownCertificate | Refusal> {
  const before = directoryOf(mesh);
  const verdict = before === null ? noKeys() : await certificateOf(mesh, shown, before);
  if (!("kind" in verdict) || FINAL.includes(verdict.problem.code)) return verdict;
  await lookAgain(mesh);
  const after = directoryOf(mesh);
  return after === null || after === before ? verdict : certificateOf(mesh, shown, after);
}

function differing(): Refusal {
  return refuse("authn.token.invalid", "The call carries two identities that differ.");
}

function noKeys(): Refusal {
  return refuse("authn.keys_unavailable", "No keys were loaded yet.");
}

/** The directory as the view has it; `null` when it was never loaded. */
export function directoryOf(mesh: Mesh): DirectoryUnit | null {
  return linkedDirectoryOf(mesh)?.unit ?? null;
}

/** The same with its listeners indexed. */
export function linkedDirectoryOf(mesh: Mesh): LinkedDirectory | null {
  const linked = mesh.state.snapshot.view.units.get(DIRECTORY);
  return linked?.kind === "directory" ? linked : null;
}

/**
 * The peer token, unless it claims to be of another mesh: a call that failed
 * over from there brings one, which says nothing here. Whoever writes such a
 * token gets no more than without any.
 */
function ownPeer(mesh: Mesh, token: string | null, directory: DirectoryUnit | null): string | null {
  if (token === null || directory === null) return token;
  if (isRemembered(mesh.state.verdicts, token, directory.trustDomain)) return token;
  const claimed = issuerHint(token);
  return claimed === null || claimed === directory.trustDomain ? token : null;
}

/** The bearer token, if it claims to be of our trust domain. Any other is an end user's and none of our business. */
function meshBearer(
  mesh: Mesh,
  authorization: string | null,
  directory: DirectoryUnit | null,
): string | null {
  if (authorization === null || directory === null || !SCHEME.test(authorization)) return null;
  const token = authorization.slice("Bearer ".length).trim();
  // Reading a token takes 10 µs, finding it a tenth of one.
  if (isRemembered(mesh.state.verdicts, token, directory.trustDomain)) return token;
  return issuerHint(token) === directory.trustDomain ? token : null;
}

/** What a token must fit. */
type Asked = Pick<TokenContext, "audiences" | "certificate">;

/** Looks again at a token that fails: it may be signed with a key that is younger than our directory. */
async function secondLook(
  mesh: Mesh,
  token: string,
  asked: Asked,
  first: TokenVerdict | Promise<TokenVerdict>,
): Promise<TokenVerdict> {
  const verdict = await first;
  if (verdict.kind === "ok" || FINAL.includes(verdict.code)) return verdict;
  const before = directoryOf(mesh);
  await lookAgain(mesh);
  return directoryOf(mesh) === before ? verdict : verifyNow(mesh, token, asked);
}

function verifyNow(
  mesh: Mesh,
  token: string,
  { audiences, certificate }: Asked,
): TokenVerdict | Promise<TokenVerdict> {
  const directory = directoryOf(mesh);
  if (directory === null)
    return { kind: "reject", code: "authn.keys_unavailable", detail: "No keys were loaded yet." };
  const { keys, trustDomain, revoked } = directory;
  const context = { keys, trustDomain, audiences, certificate, revoked, now: mesh.ports.now() };
  return cachedVerify(mesh.state.verdicts, token, context);
}
