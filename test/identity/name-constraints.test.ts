import { expect, test } from "vitest";
import { readDer, writeDer } from "../../shared/identity/der.ts";
import { permitHost, permitsHost } from "../../shared/identity/name-constraints.ts";

const text = (value: string) => new TextEncoder().encode(value);
const tree = (tag: number, value: string) => writeDer(0x30, writeDer(tag, text(value)));
const uri = (host: string) => tree(0x86, host);
const dns = (host: string) => tree(0x82, host);
const permitted = (...trees: Uint8Array[]) => writeDer(0xa0, ...trees);
const excluded = (...trees: Uint8Array[]) => writeDer(0xa1, ...trees);
const constraints = (...lists: Uint8Array[]) => writeDer(0x30, ...lists);

test.each([
  ["the host itself", permitHost("mesh.test"), true],
  ["another host", permitHost("other.test"), false],
  ["a host above it", permitHost("test"), false],
  ["everything below a domain", permitHost(".test"), true],
  ["everything below the host", permitHost(".mesh.test"), false],
  ["upper case", permitHost("MESH.test"), true],
  ["one of several", constraints(permitted(uri("a.test"), uri("mesh.test"))), true],
  ["DNS names only, which says nothing of URIs", constraints(permitted(dns("other.test"))), true],
  ["an exclusion of the host", constraints(excluded(uri("mesh.test"))), false],
  ["an exclusion of its domain", constraints(excluded(uri(".test"))), false],
  ["an exclusion of another", constraints(excluded(uri("other.test"))), true],
  [
    "the host, and an exclusion of it",
    constraints(permitted(uri("mesh.test")), excluded(uri("mesh.test"))),
    false,
  ],
  ["nothing at all", constraints(), true],
  ["no sequence", text("mesh.test"), false],
  ["an empty value", new Uint8Array(), false],
  ["a list that is cut short", permitHost("mesh.test").subarray(0, -1), false],
  ["a list of a third kind", constraints(writeDer(0xa2, uri("mesh.test"))), false],
  ["a subtree that is none", constraints(permitted(writeDer(0x04, text("x")))), false],
])("constraints with %s", (_name, value, isPermitted) => {
  expect(permitsHost(value, "mesh.test")).toBe(isPermitted);
});

test.each([0, 1, 127, 128, 255, 256, 65_535])("a value of %i octets is read as it was written", (length) => {
  const content = new Uint8Array(length).fill(7);
  expect(readDer(writeDer(0x04, content))).toEqual([{ tag: 0x04, content }]);
});

test.each([
  ["a tag alone", [0x04]],
  ["a length that is not there", [0x04, 0x82, 0x01]],
  ["less than the length says", [0x04, 0x02, 0x00]],
  ["an indefinite length", [0x30, 0x80, 0x00, 0x00]],
  ["a length of three octets", [0x04, 0x83, 0x00, 0x00, 0x01, 0x00]],
  ["a tag of several octets", [0x1f, 0x81, 0x01, 0x00]],
])("%s is not read", (_name, octets) => {
  expect(readDer(new Uint8Array(octets))).toBeNull();
});
