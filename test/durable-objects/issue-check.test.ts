import { expect, test } from "vitest";
import { checkCertify, checkIssue } from "../../durable-objects/issue-check.ts";
import type { IssueRequest } from "../../shared/wire/authority-rpc.ts";

const REQUEST: IssueRequest = { workload: "shop/web", audience: "spiffe://mesh.test/ns/shop/sa/reviews" };
const GRANT = {
  subject: "spiffe://mesh.test/ns/shop/sa/web",
  audience: REQUEST.audience,
  ttlMs: 300_000,
  isAdmitted: false,
  requester: "",
  boundTo: null,
};

const THUMBPRINT = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

test.each([
  ["the defaults", {}, {}],
  ["the mesh as audience", { audience: "spiffe://mesh.test" }, { audience: "spiffe://mesh.test" }],
  ["the shortest life", { ttlSeconds: 10 }, { ttlMs: 10_000 }],
  ["the longest life", { ttlSeconds: 3600 }, { ttlMs: 3_600_000 }],
  ["a call that the edge admitted", { isAdmitted: true }, { isAdmitted: true }],
  ["a certificate to be bound to", { boundTo: THUMBPRINT }, { boundTo: THUMBPRINT }],
  ["who asks", { requester: "edge" }, { requester: "edge" }],
])("%s", (_name, change, expected) => {
  expect(checkIssue({ ...REQUEST, ...change }, "mesh.test")).toEqual({
    ok: true,
    value: { ...GRANT, ...expected },
  });
});

const WORKLOAD = { path: "workload", message: "write namespace/service-account" };
const AUDIENCE = {
  path: "audience",
  message: "write spiffe://mesh.test or spiffe://mesh.test/ns/<namespace>/sa/<service account>",
};
const BINDING = { path: "boundTo", message: "write the certificate's SHA-256 in base64url, without padding" };
const TTL = { path: "ttlSeconds", message: "write a whole number from 10 to 3600" };

test.each([
  ["no service account", { workload: "shop" }, [WORKLOAD]],
  ["a workload that reaches out of its namespace", { workload: "../admin" }, [WORKLOAD]],
  ["a workload with a further segment", { workload: "shop/web/sa/admin" }, [WORKLOAD]],
  ["a workload whose id would be too long", { workload: `shop/${"w".repeat(2020)}` }, [WORKLOAD]],
  ["the workload of an id", { workload: "spiffe://mesh.test/ns/shop/sa/web" }, [WORKLOAD]],
  ["an audience of another mesh", { audience: "spiffe://evil.test/ns/shop/sa/reviews" }, [AUDIENCE]],
  ["another mesh as audience", { audience: "spiffe://evil.test" }, [AUDIENCE]],
  ["an audience that is an address", { audience: "https://mesh.test" }, [AUDIENCE]],
  ["no audience", { audience: "" }, [AUDIENCE]],
  ["a life of 9 s", { ttlSeconds: 9 }, [TTL]],
  ["a life of 3,601 s", { ttlSeconds: 3601 }, [TTL]],
  ["a life with a fraction", { ttlSeconds: 10.5 }, [TTL]],
  ["a life that is not a number", { ttlSeconds: Number.NaN }, [TTL]],
  ["a binding to nothing", { boundTo: "" }, [BINDING]],
  ["a binding in another alphabet", { boundTo: THUMBPRINT.replace("_", "/") }, [BINDING]],
  ["a binding with bits that belong to no byte", { boundTo: `${THUMBPRINT.slice(0, -1)}V` }, [BINDING]],
  ["everything at once", { workload: "", audience: "*", ttlSeconds: 0 }, [WORKLOAD, AUDIENCE, TTL]],
])("%s is refused", (_name, change, fields) => {
  expect(checkIssue({ ...REQUEST, ...change }, "mesh.test")).toEqual({
    ok: false,
    problem: { code: "request.malformed", detail: "The token was not issued.", fields },
  });
});

const LIFE = { path: "ttlSeconds", message: "write a whole number from 600 to 604800" };

test.each([
  ["a day unless asked otherwise", {}, { ok: true, value: { ttlMs: 86_400_000 } }],
  ["ten minutes", { ttlSeconds: 600 }, { ok: true, value: { ttlMs: 600_000 } }],
  ["a week", { ttlSeconds: 604_800 }, { ok: true, value: { ttlMs: 604_800_000 } }],
  ["less", { ttlSeconds: 599 }, { ok: false, problem: { fields: [LIFE] } }],
  ["more", { ttlSeconds: 604_801 }, { ok: false, problem: { fields: [LIFE] } }],
  ["nobody", { workload: "shop", ttlSeconds: 0 }, { ok: false, problem: { fields: [WORKLOAD, LIFE] } }],
])("a certificate for %s", (_name, change, expected) => {
  const request = { workload: "shop/web", requester: "admin", ...change };
  expect(checkCertify(request, "mesh.test")).toMatchObject(expected);
});
