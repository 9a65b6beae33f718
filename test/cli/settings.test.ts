import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isExposed, resolveSettings } from "../../cli/settings.ts";
import { QUIET } from "./cli-kit.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "selvedge-"));
  await mkdir(join(folder, ".selvedge"));
  await mkdir(join(folder, "a", "b"), { recursive: true });
  await writeFile(join(folder, ".selvedge", "admin-token"), "from-file\n");
});
afterAll(() => rm(folder, { recursive: true }));

describe("the server", () => {
  test.each([
    ["the default", {}, {}, "http://127.0.0.1:8787"],
    ["the environment", {}, { SELVEDGE_SERVER: "https://mesh.example/" }, "https://mesh.example"],
    ["an empty environment", {}, { SELVEDGE_SERVER: "" }, "http://127.0.0.1:8787"],
    ["the option before all", { server: "http://[::1]:80" }, { SELVEDGE_SERVER: "x" }, "http://[::1]"],
  ])("is %s", (_, options, env, server) => {
    expect(resolveSettings(options, { ...QUIET, env }).server).toBe(server);
  });

  test.each([
    "mesh.example",
    "ftp://mesh.example",
    "https://u:p@mesh.example",
    "https://mesh.example/api",
    "",
  ])("is not %j", (server) => {
    expect(() => resolveSettings({ server }, QUIET)).toThrow("is no origin");
  });
});

describe("the token", () => {
  const inEnv = { SELVEDGE_ADMIN_TOKEN: "from-env" };
  test.each([
    { place: "nowhere", options: {}, env: {}, cwd: "..", token: null },
    { place: "in the folder", options: {}, env: {}, cwd: ".", token: "from-file" },
    { place: "in a folder above", options: {}, env: {}, cwd: "a/b", token: "from-file" },
    { place: "in the environment before files", options: {}, env: inEnv, cwd: "a/b", token: "from-env" },
    { place: "an option before all", options: { token: "given" }, env: inEnv, cwd: ".", token: "given" },
  ])("is $place", ({ options, env, cwd, token }) => {
    expect(resolveSettings(options, { ...QUIET, env, cwd: join(folder, cwd) }).token).toBe(token);
  });
});

test("a token may end in a line feed, as files and shells have it", () => {
  expect(resolveSettings({ token: "t\n" }, QUIET).token).toBe("t");
});

test.each(["", " ", "a b", "a\nb", "tøken"])("%j is no token", (token) => {
  expect(() => resolveSettings({ token }, QUIET)).toThrow("The admin token is empty, or has blanks");
});

test.each([
  ["http://127.0.0.1:8787", "t", false],
  ["http://127.8.8.8", "t", false],
  ["http://[::1]:8787", "t", false],
  ["http://admin.localhost", "t", false],
  ["https://mesh.example", "t", false],
  ["http://mesh.example", "t", true],
  ["http://127.0.0.1.mesh.example", "t", true],
  ["http://mesh.example", null, false],
])("a token at %s (%s) is exposed: %s", (server, token, expected) => {
  expect(isExposed({ server, token, timeoutMs: 1 })).toBe(expected);
});
