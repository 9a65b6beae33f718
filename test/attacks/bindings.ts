/** Tokens without the certificate that they are bound to, and tokens that are bound to none where they should be. */
import { thumbprintOf } from "../../shared/identity/thumbprint.ts";
import { type Arms, type Attack, bearer, get, SAFE, VAULT } from "./attack.ts";
import { fronted, shown } from "./certificates.ts";

const FRIEND = "spiffe://selvedge.local/ns/fort/sa/friend";
const KEEP = "spiffe://selvedge.local/ns/fort/sa/keep";
const UNBOUND = ["401 authn.token.unbound"];
const INVALID = ["401 authn.token.invalid"];

/** A token of the friend, as the mesh's own key signs it, with whatever it confirms. */
export function boundToken({ signAsMesh, meshKey }: Arms, claims: object): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const header = { alg: "ES256", kid: meshKey.kid, typ: "JWT" };
  const usual = { sub: FRIEND, aud: "spiffe://selvedge.local", jti: "bound", iat: now, exp: now + 300 };
  return signAsMesh(header, { ...usual, ...claims });
}

export async function bindingAttacks(arms: Arms): Promise<Attack[]> {
  const { certificates, friend } = arms;
  const { ofFriend, ofFriendToo, ofStranger, chain } = certificates;
  const thumbprint = await thumbprintOf(ofFriend);
  const cnf = { "x5t#S256": thumbprint };
  const token = await boundToken(arms, { cnf });
  const ofKeep = await boundToken(arms, { cnf, aud: KEEP });
  const admitted = await boundToken(arms, { cnf, aud: KEEP, "selvedge.dev/admitted": true });
  const hash = Buffer.from(thumbprint, "base64url").toString("hex");
  const told: Readonly<Record<string, readonly string[]>> = {
    "no certificate": [],
    "a certificate in a header": [`Client-Cert: :${ofFriend}:`],
    "a certificate as proxies tell of it": [`X-Forwarded-Client-Cert: Hash=${hash};URI=${FRIEND}`],
    "a thumbprint in a header": [`Cf-Cert-Sha256: ${hash}`, `X-Client-Cert-Sha256: ${hash}`],
  };
  const misspelled = [{ CNF: cnf }, { "cnf ": cnf }, { confirmation: cnf }, { act: { cnf } }];
  const wrong = [null, {}, [], [thumbprint], thumbprint, { "x5t#S256": "" }, { "x5t#S256": [thumbprint] }];
  const others = [
    { ...cnf, jkt: thumbprint },
    { jkt: thumbprint },
    { x5t: thumbprint },
    { "X5T#S256": thumbprint },
  ];
  return [
    ...Object.entries(told).flatMap(([name, lines]) => [
      edge(`with ${name}`, VAULT, [bearer(token), ...lines]),
      edge(`as peer with ${name}`, VAULT, [`X-Selvedge-Peer: ${token}`, ...lines]),
      edge(`unbound with ${name}`, SAFE, [bearer(friend), ...lines]),
      edge(`unbound as peer with ${name}`, SAFE, [`X-Selvedge-Peer: ${friend}`, ...lines]),
      library(`with ${name}`, [`X-Selvedge-Peer: ${ofKeep}`, ...lines]),
      library(`admitted with ${name}`, [`X-Selvedge-Peer: ${admitted}`, ...lines]),
    ]),
    front("with another certificate of its owner", shown(ofFriendToo, chain), token),
    front("with a stranger's certificate", shown(ofStranger, chain), token),
    front("with a connection that has none", { certPresented: "0", certVerified: "NONE" }, token),
    ...(await Promise.all(
      misspelled.map(async (claims, at) =>
        edge(`misspelled ${at}`, SAFE, [bearer(await boundToken(arms, claims))]),
      ),
    )),
    ...(await Promise.all(
      [...wrong, ...others].map(async (confirmation) => {
        const odd = await boundToken(arms, { cnf: confirmation });
        return front(`confirming ${JSON.stringify(confirmation)}`, shown(ofFriend, chain), odd, INVALID);
      }),
    )),
  ];
}

function edge(name: string, host: string, lines: readonly string[]): Attack {
  return attack(`${host} ${name}`, "edge", get("/", [`Host: ${host}`, ...lines]));
}

function library(name: string, lines: readonly string[]): Attack {
  return attack(`at the library ${name}`, "library", get("/open", ["Host: keep", ...lines]));
}

function front(name: string, tlsClientAuth: object, token: string, expected = UNBOUND): Attack {
  return { ...attack(name, "front", fronted(tlsClientAuth, [bearer(token)])), expected };
}

function attack(name: string, at: Attack["at"], how: string): Attack {
  return { id: `binding ${name}`, class: "bindings", at, how, expected: UNBOUND };
}
