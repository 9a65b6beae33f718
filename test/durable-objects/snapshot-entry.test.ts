import { expect, test } from "vitest";
import { nameOf, parseUnit, sealOf, unitBody, type Seal } from "../../durable-objects/snapshot-entry.ts";
import { signing } from "./snapshot-kit.ts";

async function seal(changes: Partial<typeof signing> = {}): Promise<Seal> {
  const made = await sealOf({ ...signing, ...changes });
  if (made === null) throw new Error("no seal");
  return made;
}

const BODY = unitBody(7, '{"kind":"directory"}');

test("what was closed under a name opens under it, for every isolate with the secret", async () => {
  const text = await (await seal()).close("service:shop/a", BODY);

  expect(await (await seal()).open("service:shop/a", text)).toBe(BODY);
  expect(parseUnit(BODY)).toEqual({ version: 7, unit: { kind: "directory" } });
  expect(parseUnit(unitBody(8, null))).toEqual({ version: 8, unit: null });
});

test.each<[string, (text: string) => string]>([
  ["another body", (text) => text.replace('"version":7', '"version":8')],
  ["a body that was cut", (text) => text.slice(0, -3)],
  ["a body that goes on", (text) => `${text} `],
  ["no signature", (text) => text.slice(text.indexOf(" "))],
  ["no signature and no gap", () => BODY.replaceAll(" ", "")],
  ["a signature that was cut", (text) => text.slice(4)],
  ["what is not base64", (text) => `!${text}`],
  ["nothing", () => ""],
])("%s is refused", async (_, spoil) => {
  const text = await (await seal()).close("service:shop/a", BODY);

  expect(await (await seal()).open("service:shop/a", spoil(text))).toBeNull();
});

test.each<[string, string, Partial<typeof signing>]>([
  ["another name", "service:shop/b", {}],
  ["another secret", "service:shop/a", { SELVEDGE_ADMIN_TOKEN_SHA256: "6".repeat(64) }],
  ["another mesh with the same secret", "service:shop/a", { SELVEDGE_TRUST_DOMAIN: "other.example" }],
])("an entry of %s is refused", async (_, name, changes) => {
  const text = await (await seal()).close("service:shop/a", BODY);

  expect(await (await seal(changes)).open(name, text)).toBeNull();
});

test("without the secret there is no seal", async () => {
  const { SELVEDGE_ADMIN_TOKEN_SHA256: _secret, ...rest } = signing;

  expect([await sealOf(rest), await sealOf({ ...rest, SELVEDGE_ADMIN_TOKEN_SHA256: "" })]).toEqual([
    null,
    null,
  ]);
});

test("the secret may be written in either case", async () => {
  const [lower, upper] = ["abcdef", "ABCDEF"].map((digits) => ({ SELVEDGE_ADMIN_TOKEN_SHA256: digits }));

  expect((await seal(lower)).fingerprint).toBe((await seal(upper)).fingerprint);
});

test("names tell keys, and fit the store however long these are", async () => {
  const long = `host:${"ä".repeat(300)}`;
  const names = await Promise.all(["service:shop/a", long, `${long}b`].map(nameOf));

  expect(names[0]).toBe("unit/service:shop/a");
  expect(new Set(names).size).toBe(3);
  expect(names.every((name) => new TextEncoder().encode(name).length <= 512)).toBe(true);
});
