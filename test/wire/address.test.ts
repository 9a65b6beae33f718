import { describe, expect, test } from "vitest";
import { formatAddress, isPrivate, parseAddress } from "../../shared/wire/address.ts";

describe("parseAddress", () => {
  test.each([
    ["binding:REVIEWS", { kind: "binding", name: "REVIEWS" }],
    ["dispatch:reviews-v2", { kind: "dispatch", name: "reviews-v2" }],
    ["https://api.example.com", { kind: "origin", url: "https://api.example.com" }],
    ["https://api.example.com/", { kind: "origin", url: "https://api.example.com" }],
    ["http://api.example.com:8080", { kind: "origin", url: "http://api.example.com:8080" }],
    ["https://API.example.com:443", { kind: "origin", url: "https://api.example.com" }],
    ["http://[2606:4700::1111]:8080", { kind: "origin", url: "http://[2606:4700::1111]:8080" }],
    ["http://0x7f.1", { kind: "origin", url: "http://127.0.0.1" }],
  ] as const)("reads %s and writes it again", (text, address) => {
    expect(parseAddress(text)).toEqual({ ok: true, address });
    expect(parseAddress(formatAddress(address))).toEqual({ ok: true, address });
  });

  test.each([
    [""],
    ["reviews"],
    ["binding:"],
    ["binding:a:b"],
    ["binding:constructor"],
    ["binding:__proto__"],
    ["binding:toString"],
    ["binding:REGISTRY"],
    ["binding:MESH"],
    ["binding:SELVEDGE_ADMIN_TOKEN_SHA256"],
    ["binding:a b"],
    ["file:///etc/passwd"],
    ["ftp://example.com"],
    ["HTTPS://example.com"],
    ["javascript:alert(1)"],
    ["http://"],
    ["http://user@example.com"],
    ["http://user:pw@example.com"],
    ["http://@example.com"],
    ["http://example.com/path"],
    ["http://example.com?"],
    ["http://example.com/?a=1"],
    ["http://example.com#"],
    ["http://example.com\\evil"],
    ["http://exa mple.com"],
    ["http://exam\tple.com"],
    [" http://example.com"],
    ["http://example.com:99999"],
    ["http://300.300.300.300"],
    [`http://${"a".repeat(3000)}`],
  ])("refuses %j", (text) => {
    expect(parseAddress(text)).toEqual({ ok: false, message: expect.any(String) });
  });
});

/** Every spelling that the parser accepts is judged by the host that would be called. */
function judge(text: string): boolean | "refused" {
  const result = parseAddress(text);
  return result.ok ? isPrivate(result.address) : "refused";
}

describe("isPrivate", () => {
  test.each([
    ["http://127.0.0.1"],
    ["http://127.1"],
    ["http://0x7f.1"],
    ["http://2130706433"],
    ["http://017700000001"],
    ["http://127.0.0.1."],
    ["http://①②⑦.⓪.⓪.①"],
    ["http://0.0.0.0"],
    ["http://10.1.2.3"],
    ["http://100.64.0.1"],
    ["http://100.127.255.255"],
    ["http://169.254.169.254"],
    ["http://172.16.0.1"],
    ["http://172.31.255.255"],
    ["http://192.168.0.1"],
    ["http://198.18.0.1"],
    ["http://198.19.255.255"],
    ["http://224.0.0.1"],
    ["http://255.255.255.255"],
    ["http://localhost"],
    ["http://localhost."],
    ["http://LOCALHOST:8080"],
    ["http://a.localhost"],
    ["http://metadata.google.internal"],
    ["http://metadata.google.internal."],
    ["http://metadata"],
    ["http://printer.local"],
    ["http://[::]"],
    ["http://[::1]"],
    ["http://[::127.0.0.1]"],
    ["http://[::ffff:127.0.0.1]"],
    ["http://[::ffff:a9fe:a9fe]"],
    ["http://[64:ff9b::7f00:1]"],
    ["http://[64:ff9b:1::808:808]"],
    ["http://[2002:7f00:1::]"],
    ["http://[2001::1]"],
    ["http://[2001:db8::1]"],
    ["http://[fc00::1]"],
    ["http://[fd12:3456::1]"],
    ["http://[fe80::1]"],
    ["http://[ff02::1]"],
  ])("%s is private", (text) => {
    expect(judge(text)).toBe(true);
  });

  test.each([
    ["binding:REVIEWS"],
    ["https://example.com"],
    ["https://internal.example.com"],
    ["https://localhost.example.com"],
    ["http://1.1.1.1"],
    ["http://100.63.255.255"],
    ["http://100.128.0.1"],
    ["http://172.15.0.1"],
    ["http://172.32.0.1"],
    ["http://198.17.255.255"],
    ["http://198.20.0.1"],
    ["http://223.255.255.255"],
    ["http://[2606:4700:4700::1111]"],
    ["http://[::ffff:1.1.1.1]"],
    ["http://[64:ff9b::101:101]"],
    ["http://[2001:4860::8888]"],
  ])("%s is public", (text) => {
    expect(judge(text)).toBe(false);
  });
});
