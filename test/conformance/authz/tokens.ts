/** Tokens of end users and the keys that they are signed with, made anew for each run. */
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from "jose";

/** What a call may bring, by the name that stories use. */
export interface Wallet {
  readonly jwks: { readonly keys: readonly object[] };
  readonly tokens: Readonly<Record<string, string>>;
}

const LONG = 4_102_444_800;

const JANE = {
  iss: "one",
  sub: "jane",
  exp: LONG,
  aud: ["other", "shop"],
  azp: "app",
  groups: ["readers", "editors"],
  scope: "read write",
  roles: "admin user",
  nested: { deep: ["u", "v"] },
  "example.com/team": "core",
  level: 3,
};

/** Makes keys of each kind, and tokens that count, that do not, and why. */
export async function makeWallet(): Promise<Wallet> {
  const signers = await Promise.all(
    Object.entries({ rsa: "RS256", pss: "PS512", ec: "ES384", ed: "EdDSA" }).map(async ([kid, alg]) => {
      const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
      const sign = (claims: object, header: object = { kid }) =>
        new SignJWT({ ...claims }).setProtectedHeader({ alg, ...header }).sign(privateKey);
      return { kid, jwk: { ...(await exportJWK(publicKey)), kid, alg }, sign };
    }),
  );
  const by = (kid: string) => {
    const signer = signers.find((one) => one.kid === kid);
    if (signer === undefined) throw new Error(`there is no key ${kid}`);
    return signer.sign;
  };
  const rsa = by("rsa");
  const plain = { iss: "one", sub: "joe", exp: LONG };
  return {
    jwks: { keys: signers.map(({ jwk }) => jwk) },
    tokens: {
      one: await rsa(JANE),
      two: await rsa({ iss: "two", sub: "john", exp: LONG, groups: "guests", aud: "other" }),
      three: await rsa({ ...plain, iss: "three" }),
      expired: await rsa({ ...JANE, exp: 1_562_182_856 }),
      early: await rsa({ ...JANE, nbf: LONG - 1 }),
      keyless: await rsa(plain, {}),
      pss: await by("pss")(plain),
      ec: await by("ec")(plain),
      ed: await by("ed")(plain),
      unsigned: new UnsecuredJWT(plain).encode(),
      shared: await new SignJWT(plain)
        .setProtectedHeader({ alg: "HS256", kid: "rsa" })
        .sign(new TextEncoder().encode("a secret that is long enough for it")),
    },
  };
}
