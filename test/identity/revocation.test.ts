import { expect, test } from "vitest";
import { isRevoked } from "../../shared/identity/revocation.ts";

const WEB = "spiffe://mesh.test/ns/shop/sa/web";
const PROOF = { id: "t-1", subject: WEB, issuedAt: 1000 };

test.each([
  ["nothing", { ids: [], identities: [] }, false],
  ["its id", { ids: ["t-0", "t-1"], identities: [] }, true],
  ["another id", { ids: ["t-11"], identities: [] }, false],
  ["its subject, later", { ids: [], identities: [{ subject: WEB, before: 1001 }] }, true],
  ["its subject, at the same time", { ids: [], identities: [{ subject: WEB, before: 1000 }] }, false],
  ["its subject, before it", { ids: [], identities: [{ subject: WEB, before: 999 }] }, false],
  ["another subject", { ids: [], identities: [{ subject: `${WEB}2`, before: 5000 }] }, false],
])("%s revoked", (_name, revoked, expected) => {
  expect(isRevoked(revoked, PROOF)).toBe(expected);
});
