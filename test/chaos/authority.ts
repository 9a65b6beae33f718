/**
 * The certificate authority of a mesh under chaos, as operators and workloads
 * reach it: by the admin API.
 *
 * @module
 */
import { z } from "zod";
import type { Client } from "../../cli/client.ts";
import { issuedToken } from "../../shared/wire/admin.ts";
import * as wire from "../../shared/wire/admin-authority.ts";

export type Rotation = z.infer<typeof wire.rotateRequest>["what"];

/** Everything that a workload was issued, or its last token for an audience. */
export interface Withdrawal {
  /** `namespace/service-account`. */
  readonly workload: string;
  /** A SPIFFE id; `null` for the identity as a whole. */
  readonly audience: string | null;
}

export interface Authority {
  /** A token that counts for `ttlSeconds`. */
  token(workload: string, audience: string, ttlSeconds: number): Promise<string>;
  rotate(what: Rotation): Promise<void>;
  /** Acknowledged when it resolves. */
  revoke(withdrawal: Withdrawal): Promise<void>;
  status(): Promise<z.infer<typeof wire.authorityStatus>>;
  /** The roots of the trust bundle, DER in base64. */
  roots(): Promise<readonly string[]>;
  /** A proof that is good once, for one workload. */
  joinToken(workload: string): Promise<string>;
  /** What a proof gets. */
  join(request: z.input<typeof wire.joinRequest>): Promise<z.infer<typeof wire.joined>>;
}

/** The authority of the mesh that `client` is of. */
export function authorityOf(client: Client): Authority {
  const ids = new Map<string, string>();
  return {
    async token(workload, audience, ttlSeconds) {
      const body = { workload, audience, ttlSeconds };
      const { token, id } = await client.call({ method: "POST", path: "/tokens", body, answer: issuedToken });
      ids.set(`${workload} ${audience}`, id);
      return token;
    },
    async rotate(what) {
      await client.call({ method: "POST", path: "/ca/rotate", body: { what }, answer: wire.authorityStatus });
    },
    async revoke({ workload, audience }) {
      const body =
        audience === null
          ? { kind: "identity", value: workload }
          : { kind: "jti", value: ids.get(`${workload} ${audience}`) };
      await client.call({ method: "POST", path: "/ca/revocations", body, answer: wire.revocation });
    },
    status: () => client.call({ path: "/ca", answer: wire.authorityStatus }),
    async roots() {
      const path = "/.well-known/spiffe/bundle";
      const { keys } = await client.call({ path, answer: wire.trustBundleDocument });
      return keys.flatMap(({ use, x5c }) => (use === "x509-svid" ? (x5c ?? []) : []));
    },
    async joinToken(scope) {
      const answer = wire.grantedJoinToken;
      return (await client.call({ method: "POST", path: "/join-tokens", body: { scope }, answer })).token;
    },
    join: (body) => client.call({ method: "POST", path: "/join", body, answer: wire.joined }),
  };
}
