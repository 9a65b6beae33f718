import { expect, test } from "vitest";
import {
  callerOf,
  meshAudience,
  parseSpiffeId,
  parseWorkload,
  spiffeId,
} from "../../shared/identity/spiffe.ts";

test.each([
  [
    "spiffe://mesh.test/ns/shop/sa/web",
    { trustDomain: "mesh.test", namespace: "shop", serviceAccount: "web" },
  ],
  ["spiffe://a_b-1/ns/A.b_c-9/sa/..x", { trustDomain: "a_b-1", namespace: "A.b_c-9", serviceAccount: "..x" }],
  [
    `spiffe://${"a".repeat(255)}/ns/n/sa/s`,
    { trustDomain: "a".repeat(255), namespace: "n", serviceAccount: "s" },
  ],
])("%s is read into its parts", (text, parts) => {
  expect(parseSpiffeId(text)).toEqual(parts);
  expect(spiffeId(parts.trustDomain, parts.namespace, parts.serviceAccount)).toBe(text);
});

test.each([
  ["empty", ""],
  ["an upper-case scheme", "SPIFFE://mesh.test/ns/shop/sa/web"],
  ["another scheme", "https://mesh.test/ns/shop/sa/web"],
  ["an upper-case trust domain", "spiffe://Mesh.test/ns/shop/sa/web"],
  ["no trust domain", "spiffe:///ns/shop/sa/web"],
  ["a trust domain of 256 characters", `spiffe://${"a".repeat(256)}/ns/n/sa/s`],
  ["a port", "spiffe://mesh.test:443/ns/shop/sa/web"],
  ["user information", "spiffe://a@mesh.test/ns/shop/sa/web"],
  ["a trust domain outside ASCII", "spiffe://mёsh.test/ns/shop/sa/web"],
  ["a trust domain of dots", "spiffe://../ns/shop/sa/web"],
  ["the mesh's own id", "spiffe://mesh.test"],
  ["a trailing slash", "spiffe://mesh.test/ns/shop/sa/web/"],
  ["one more segment", "spiffe://mesh.test/ns/shop/sa/web/x"],
  ["a segment less", "spiffe://mesh.test/ns/shop/sa"],
  ["an empty segment", "spiffe://mesh.test/ns//sa/web"],
  ["another order", "spiffe://mesh.test/sa/web/ns/shop"],
  ["upper-case words", "spiffe://mesh.test/NS/shop/SA/web"],
  ["a dot segment", "spiffe://mesh.test/ns/./sa/web"],
  ["a double-dot segment", "spiffe://mesh.test/ns/shop/sa/.."],
  ["percent-encoding", "spiffe://mesh.test/ns/shop/sa/w%65b"],
  ["a NUL", "spiffe://mesh.test/ns/shop/sa/web\0"],
  ["a line feed at the end", "spiffe://mesh.test/ns/shop/sa/web\n"],
  ["a query", "spiffe://mesh.test/ns/shop/sa/web?x"],
  ["a fragment", "spiffe://mesh.test/ns/shop/sa/web#x"],
  ["a look-alike letter", "spiffe://mesh.test/ns/shop/sa/wеb"],
  ["more than 2,048 characters", `spiffe://mesh.test/ns/${"n".repeat(2048)}/sa/web`],
])("an id with %s is none", (_name, text) => {
  expect(parseSpiffeId(text)).toBeNull();
});

test.each([
  ["shop/web", { namespace: "shop", serviceAccount: "web" }],
  ["shop", null],
  ["shop/web/x", null],
  ["/web", null],
  ["shop/", null],
  ["../web", null],
  ["shop/.", null],
  ["shop/w b", null],
  ["shop/w%62", null],
  [`${"n".repeat(2048)}/web`, null],
])("the workload %s", (text, workload) => {
  expect(parseWorkload(text)).toEqual(workload);
});

test("the mesh's audience is the trust domain's own id", () => {
  expect(meshAudience("mesh.test")).toBe("spiffe://mesh.test");
});

test("a caller has the principal that policies compare", () => {
  expect(callerOf({ trustDomain: "mesh.test", namespace: "shop", serviceAccount: "web" })).toEqual({
    trustDomain: "mesh.test",
    namespace: "shop",
    serviceAccount: "web",
    principal: "mesh.test/ns/shop/sa/web",
  });
});
