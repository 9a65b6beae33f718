import { expect, test } from "vitest";
import * as headers from "../../shared/engine/headers.ts";

type Entries = readonly (readonly [string, string])[];

const PLAIN: Entries = [
  ["host", "reviews.shop.mesh"],
  ["authorization", "Bearer a.b.c"],
  ["content-type", "application/json; charset=utf-8"],
  ["content-length", "12"],
  ["accept", "text/html, application/json"],
  ["x-forwarded-for", "192.0.2.1, 192.0.2.2"],
  ["x_custom", "1"],
];

test.each<[name: string, entries: Entries, named: string[]]>([
  ["nothing", [], []],
  ["plain headers", PLAIN, []],
  ["an empty Connection", [["connection", ""]], []],
  ["close", [["connection", "close"]], ["close"]],
  ["an upgrade", [["connection", "keep-alive, Upgrade"]], ["keep-alive", "upgrade"]],
  ["empty elements", [["connection", " te ,, \tFoo , close,"]], ["te", "foo", "close"]],
  [
    "two lines",
    [
      ["connection", "te"],
      ["connection", "foo"],
    ],
    ["te", "foo"],
  ],
  ["as many names as are allowed", [["connection", "a,b,c,d,e,f,g,h,i,j"]], [..."abcdefghij"]],
  ["a quoted comma in a parameter", [["content-type", 'a/b; boundary="x, c/d"; y="\\",z"']], []],
  ["parameters of a scheme", [["authorization", 'Digest username="a, b", realm="c", uri="/"']], []],
  [
    "a signature",
    [["authorization", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host;x, Signature=0f"]],
    [],
  ],
])("%s can be understood", (_name, entries, named) => {
  expect(headers.inspectHeaders(entries)).toEqual({ kind: "ok", named });
});

test.each([
  "x-selvedge-hops",
  "X-Selvedge-Token",
  "x_selvedge_token",
  "x-forwarded-client-cert",
  "client-cert",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "X-Real-IP",
  "forwarded",
  "host",
  "authorization",
  "Content-Length",
  "content-type",
  "cookie",
  "cf-connecting-ip",
])("Connection may not name %s", (name) => {
  const entries: Entries = [...PLAIN, ["connection", `close, ${name}`]];
  const problem = { kind: "reject", code: "header.hopbyhop", header: name.toLowerCase() };
  expect(headers.inspectHeaders(entries)).toEqual(problem);
});

test("Connection may not name eleven headers", () => {
  const problem = { kind: "reject", code: "header.hopbyhop", header: "k" };
  expect(headers.inspectHeaders([["connection", "a,b,c,d,e,f,g,h,i,j,k"]])).toEqual(problem);
});

test.each<[name: string, entries: Entries]>([
  ["connection", [["connection", "te, :path, close"]]],
  ["connection", [["connection", "a b"]]],
  ["connection", [["connection", "é"]]],
  ["x_selvedge_caller", [["x_selvedge_caller", "a"]]],
  ["x-selvedge_caller", [["x-selvedge_caller", "a"]]],
  ["client_cert", [["client_cert", "a"]]],
  ["x_forwarded_for", [["x_forwarded_for", "192.0.2.1"]]],
  ["content_length", [["content_length", "3"]]],
  [
    "host",
    [
      ["host", "a"],
      ["host", "a"],
    ],
  ],
  ["host", [["host", "a, b"]]],
  [
    "authorization",
    [
      ["authorization", "Bearer a"],
      ["authorization", "Bearer b"],
    ],
  ],
  ["authorization", [["authorization", "Bearer a, Bearer b"]]],
  ["authorization", [["authorization", "bearer a,b"]]],
  ["authorization", [["authorization", 'Digest username="a", Bearer b']]],
  ["authorization", [["authorization", "Custom a,\tbasic b"]]],
  [
    "content-length",
    [
      ["content-length", "3"],
      ["content-length", "3"],
    ],
  ],
  ["content-length", [["content-length", "3, 3"]]],
  ["content-length", [["content-length", "+3"]]],
  ["content-length", [["content-length", ""]]],
  ["content-type", [["content-type", "text/plain, text/html"]]],
  ["content-type", [["content-type", 'a/b; x="y", text/html']]],
  ["content-type", [["content-type", 'a/b; x="y, text/html']]],
])("%s of %j is refused", (header, entries) => {
  expect(headers.inspectHeaders(entries)).toEqual({ kind: "reject", code: "header.invalid", header });
});

test("a platform's Headers can be inspected", () => {
  const sent = new Headers({ "Content-Type": "a/b", Connection: "X-Foo" });
  expect(headers.inspectHeaders(sent)).toEqual({ kind: "ok", named: ["x-foo"] });
  sent.append("content-type", "c/d");
  const problem = { kind: "reject", code: "header.invalid", header: "content-type" };
  expect(headers.inspectHeaders(sent)).toEqual(problem);
});

test.each([
  ["connection", { isHopByHop: true, isOwned: false, isForwarding: false }],
  ["http2-settings", { isHopByHop: true, isOwned: false, isForwarding: false }],
  ["proxy-authorization", { isHopByHop: true, isOwned: false, isForwarding: false }],
  ["x-selvedge-hops", { isHopByHop: false, isOwned: true, isForwarding: false }],
  ["x-forwarded-client-cert", { isHopByHop: false, isOwned: true, isForwarding: false }],
  ["client-cert-chain", { isHopByHop: false, isOwned: true, isForwarding: false }],
  ["x-forwarded-port", { isHopByHop: false, isOwned: false, isForwarding: true }],
  ["x-real-ip", { isHopByHop: false, isOwned: false, isForwarding: true }],
  ["x-selvedge", { isHopByHop: false, isOwned: false, isForwarding: false }],
  ["constructor", { isHopByHop: false, isOwned: false, isForwarding: false }],
])("%s is %o", (name, expected) => {
  expect({
    isHopByHop: headers.isHopByHop(name),
    isOwned: headers.isOwned(name),
    isForwarding: headers.isForwarding(name),
  }).toEqual(expected);
});
