/**
 * The part of the authority that makes and keeps certificates of
 * certificate authorities: what is due is done here, and nothing is published.
 *
 * @module
 */
import type { Millis } from "../shared/engine/time.ts";
import type { Signer } from "../shared/identity/certificate.ts";
import type { Upstream } from "../shared/identity/certificate-chain.ts";
import { generateSigningKey } from "../shared/identity/key.ts";
import { fail, succeed, type Outcome } from "../shared/wire/problem.ts";
import {
  intermediateRenewsAt,
  rootLeavesAt,
  rootRenewsAt,
  rootTakesOverAt,
  type CertificateRing,
} from "./certificate-ring.ts";
import {
  CertificateStore,
  type NewIntermediate,
  type NewRoot,
  type RootSigner,
} from "./certificate-store.ts";

/** The library is large: it is loaded for the first certificate, not for the first token. */
const load = () => import("../shared/identity/certificate.ts");

export interface CertificateDuties {
  readonly storage: DurableObjectStorage;
  readonly trustDomain: string;
  /** Called in the transaction that changes the roots of the bundle. */
  readonly onRootsChanged: (now: Millis) => void;
}

export class CertificateAuthority {
  readonly store: CertificateStore;
  readonly #duties: CertificateDuties;
  /** The first start under way: callers that come meanwhile share it. */
  #starting: Promise<void> | null = null;

  constructor(duties: CertificateDuties) {
    this.#duties = duties;
    this.store = new CertificateStore(duties.storage.sql);
  }

  /** Makes the first root and intermediate. Nobody has a bundle yet, so that they count at once. */
  async start(): Promise<void> {
    if (this.store.ring() !== null) return;
    this.#starting ??= this.#makeFirst().finally(() => {
      this.#starting = null;
    });
    await this.#starting;
  }

  /** Does what is due. Running twice, early or late does no harm. */
  async advance(): Promise<void> {
    const ring = this.store.ring();
    if (ring === null) return;
    if (isDue(rootRenewsAt(ring))) await this.addNextRoot();
    if (isDue(rootTakesOverAt(ring))) await this.#replaceRoot();
    else if (isDue(intermediateRenewsAt(ring))) await this.replaceIntermediate();
    this.#duties.storage.transactionSync(() => {
      const now = Date.now();
      if (this.store.prune(now)) this.#duties.onRootsChanged(now);
    });
  }

  /** When there is work next. */
  nextWake(): Millis {
    const ring = this.store.ring();
    if (ring === null) return Infinity;
    const dues = [rootTakesOverAt(ring), rootRenewsAt(ring), intermediateRenewsAt(ring)];
    return Math.min(...[...dues, ...ring.roots.map(rootLeavesAt)].map((due) => due ?? Infinity));
  }

  /** Puts a next root into the bundle, vouched for by the current one where that can sign. One that is there stays. */
  async addNextRoot(): Promise<void> {
    const signer = this.store.rootSigner("current");
    const root = await this.#makeRoot(signer);
    this.#transact((ring, now) => {
      if (ring.roots.some(({ state }) => state === "next")) return;
      this.store.addRoot(root, "next", now);
      this.#duties.onRootsChanged(now);
    });
  }

  /** Another intermediate signs leaves from now on. Refused where only another authority can make one. */
  async replaceIntermediate(): Promise<Outcome<null>> {
    const signer = this.store.rootSigner("current");
    if (signer === null) return fail(UPSTREAM);
    const intermediate = await this.#makeIntermediate(signer);
    this.#transact(() => {
      // The root may have been replaced meanwhile, and another intermediate with it.
      if (this.store.rootSigner("current")?.id === signer.id) this.store.replaceIntermediate(intermediate);
    });
    return succeed(null);
  }

  /** Takes over another authority's intermediate: at once below the current root, else when verifiers know its root. */
  async adopt(upstream: Upstream): Promise<Outcome<null>> {
    await this.start();
    const [root, intermediate] = await describe(upstream);
    let isBusy = false;
    this.#transact((ring, now) => {
      const known = ring.roots.find(({ id }) => id === root.id);
      if (known?.state === "current") return this.store.replaceIntermediate(intermediate);
      isBusy = ring.roots.some(({ state }) => state === "next");
      if (isBusy) return;
      if (known === undefined) this.store.addRoot(root, "next", now);
      else this.store.recallRoot(root.id);
      this.store.addNextIntermediate(intermediate);
      this.#duties.onRootsChanged(now);
    });
    return isBusy ? fail(BUSY) : succeed(null);
  }

  async #makeFirst(): Promise<void> {
    const root = await this.#makeRoot(null);
    if (root.privateJwk === null) throw new Error("a root made here has its key");
    const { id, certificate, privateJwk } = root;
    const intermediate = await this.#makeIntermediate({ id, certificate, privateJwk });
    this.#duties.storage.transactionSync(() => {
      const now = Date.now();
      this.store.addRoot(root, "current", now);
      this.store.replaceIntermediate(intermediate);
      this.#duties.onRootsChanged(now);
    });
  }

  async #replaceRoot(): Promise<void> {
    const signer = this.store.rootSigner("next");
    const intermediate = signer === null ? null : await this.#makeIntermediate(signer);
    this.#transact((ring, now) => {
      // Another call may have done it while the intermediate was made.
      const isSame = this.store.rootSigner("next")?.id === signer?.id;
      if (isSame && isDue(rootTakesOverAt(ring))) this.store.replaceRoot(intermediate, now);
    });
  }

  async #makeRoot(by: Signer | null): Promise<NewRoot> {
    const library = await load();
    const { trustDomain } = this.#duties;
    const key = await generateSigningKey();
    const now = Date.now();
    const certificate = await library.makeRoot(trustDomain, key, now);
    return {
      id: await library.fingerprintOf(certificate),
      source: "own",
      certificate,
      publicJwk: await library.publicJwkOf(certificate),
      privateJwk: key.privateJwk,
      crossed: by === null ? null : await library.crossSign(trustDomain, certificate, by, now),
      ...library.validityOf(certificate),
    };
  }

  async #makeIntermediate(root: RootSigner): Promise<NewIntermediate> {
    const library = await load();
    const key = await generateSigningKey();
    const certificate = await library.makeIntermediate(this.#duties.trustDomain, key, root, Date.now());
    return {
      id: await library.fingerprintOf(certificate),
      rootId: root.id,
      source: "own",
      chain: [certificate],
      privateJwk: key.privateJwk,
      ...library.validityOf(certificate),
    };
  }

  /** Decides and writes in one step, on what is stored then and not before something was awaited. */
  #transact(act: (ring: CertificateRing, now: Millis) => void): void {
    this.#duties.storage.transactionSync(() => {
      const ring = this.store.ring();
      if (ring === null) throw new Error("the authority has no certificates");
      act(ring, Date.now());
    });
  }
}

const UPSTREAM = {
  code: "config.conflict",
  detail:
    "The intermediate was loaded, and only its issuer can make another: load that with `selvedge ca load`, or go " +
    "back to a root of the mesh's own with `selvedge ca rotate --root`.",
} as const;

const BUSY = {
  code: "config.conflict",
  detail: "Another root is about to take over: load the intermediate when it has, see `selvedge ca status`.",
} as const;

async function describe(upstream: Upstream): Promise<[NewRoot, NewIntermediate]> {
  const library = await load();
  const { root, chain, privateJwk } = upstream;
  const [first = ""] = chain;
  const rootId = await library.fingerprintOf(root);
  return [
    {
      id: rootId,
      source: "upstream",
      certificate: root,
      publicJwk: await library.publicJwkOf(root),
      privateJwk: null,
      crossed: null,
      ...library.validityOf(root),
    },
    {
      id: await library.fingerprintOf(first),
      rootId,
      source: "upstream",
      chain,
      privateJwk,
      ...library.validityOf(first),
    },
  ];
}

function isDue(at: Millis | null): boolean {
  return at !== null && at <= Date.now();
}
