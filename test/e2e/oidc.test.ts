import { createServer } from "node:http";
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey } from "jose";
import { expect, onTestFinished, test } from "vitest";
import { principal as principalSchema } from "../../shared/wire/admin-access.ts";
import { startMesh } from "./bookinfo.ts";
import { ask } from "./http-client.ts";

const ISSUER = "https://issuer.example";

interface Claims {
  readonly [name: string]: unknown;
}

/** An issuer that serves its keys on loopback, and counts how often they are fetched. */
async function startIssuer() {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: "one", alg: "ES256" };
  const fetches = { count: 0 };
  const server = createServer((_, response) => {
    fetches.count += 1;
    response.setHeader("content-type", "application/json").end(JSON.stringify({ keys: [jwk] }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { privateKey, fetches, jwksUri: `http://127.0.0.1:${port}/certs` };
}

function sign(key: CryptoKey | Uint8Array, claims: Claims, alg = "ES256", issuer = ISSUER): Promise<string> {
  return new SignJWT({ sub: "u-1", aud: "mesh", ...claims })
    .setProtectedHeader({ alg, kid: "one" })
    .setIssuer(issuer)
    .setIssuedAt()
    .setExpirationTime("5m")
    .sign(key);
}

test("people sign in by an issuer that the mesh trusts, and may do what its claims grant", async () => {
  const issuer = await startIssuer();
  const settings = [
    {
      issuer: ISSUER,
      audience: "mesh",
      jwksUri: issuer.jwksUri,
      grants: [
        { claim: "groups", values: ["sre"], role: "admin" },
        { claim: "email", values: ["ed@acme.test"], role: "editor", namespaces: ["shop"] },
      ],
    },
  ];
  const mesh = await startMesh({ vars: { SELVEDGE_ADMIN_OIDC: JSON.stringify(settings) } });
  const whoami = async (headers: Readonly<Record<string, string>>) => {
    const { status, body } = await ask({
      port: mesh.port,
      host: "127.0.0.1",
      path: "/api/v1/principal",
      headers,
    });
    return status === 200 ? principalSchema.parse(JSON.parse(body)) : status;
  };
  const bearer = (token: string) => whoami({ authorization: `Bearer ${token}` });
  const stranger = await generateKeyPair("ES256");
  const admin = await sign(issuer.privateKey, { groups: ["dev", "sre"], email: "ada@acme.test" });

  expect(await bearer(admin)).toEqual({ id: "oidc/ada@acme.test", role: "admin", namespaces: null });
  expect(await whoami({ "cf-access-jwt-assertion": admin })).toMatchObject({ id: "oidc/ada@acme.test" });
  expect(await bearer(await sign(issuer.privateKey, { email: "ed@acme.test" }))).toEqual({
    id: "oidc/ed@acme.test",
    role: "editor",
    namespaces: ["shop"],
  });
  const unproved = { groups: ["sre"], email: "ada@acme.test", email_verified: false };
  expect(await bearer(await sign(issuer.privateKey, unproved))).toMatchObject({ id: "oidc/u-1" });
  const refused = {
    "with an address that its issuer did not verify": await sign(issuer.privateKey, {
      email: "ed@acme.test",
      email_verified: false,
    }),
    "to whom nothing is granted": await sign(issuer.privateKey, { email: "eve@acme.test" }),
    "for another audience": await sign(issuer.privateKey, { groups: ["sre"], aud: "other" }),
    "of another issuer": await sign(issuer.privateKey, { groups: ["sre"] }, "ES256", "https://evil.example"),
    "signed by another key": await sign(stranger.privateKey, { groups: ["sre"] }),
    "that has expired": await sign(issuer.privateKey, { groups: ["sre"] }).then(() =>
      new SignJWT({ sub: "u-1", aud: "mesh", iss: ISSUER, groups: ["sre"], exp: 1_000 })
        .setProtectedHeader({ alg: "ES256", kid: "one" })
        .sign(issuer.privateKey),
    ),
    "without an end": await new SignJWT({ sub: "u-1", aud: "mesh", iss: ISSUER, groups: ["sre"] })
      .setProtectedHeader({ alg: "ES256", kid: "one" })
      .sign(issuer.privateKey),
    "without a signature": new UnsecuredJWT({ sub: "u-1", aud: "mesh", groups: ["sre"] })
      .setIssuer(ISSUER)
      .setExpirationTime("5m")
      .encode(),
    "signed with a shared secret": await sign(
      new TextEncoder().encode("k".repeat(32)),
      { groups: ["sre"] },
      "HS256",
    ),
  };
  for (const [name, token] of Object.entries(refused))
    expect([name, await bearer(token)]).toEqual([name, 401]);
  expect(issuer.fetches.count).toBeLessThanOrEqual(2);
});
