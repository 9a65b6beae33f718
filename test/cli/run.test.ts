import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { VERSION } from "../../shared/wire/version.ts";
import { Answer, cli, problem, startMesh, type Answers, type Mesh } from "./cli-kit.ts";

const STATUS = {
  trustDomain: "selvedge.example",
  revision: 3,
  version: 9,
  resources: 12,
  services: 4,
  endpoints: 7,
  healthyEndpoints: 5,
};

const meshes: Mesh[] = [];
afterEach(() => Promise.all(meshes.splice(0).map((mesh) => mesh.close())));

async function start(answers: Answers): Promise<Mesh> {
  const mesh = await startMesh(answers);
  meshes.push(mesh);
  return mesh;
}

test("the version is that of the package", async () => {
  const manifest: unknown = JSON.parse(
    await readFile(new URL("../../package.json", import.meta.url), "utf8"),
  );
  expect(manifest).toMatchObject({ version: VERSION });
});

describe("a wrong command line ends with 2", () => {
  test.each([
    ["an unknown option", ["status", "--nope"], "unknown option '--nope'"],
    ["an unknown format", ["status", "-o", "xml"], "Allowed choices are table, json, yaml"],
    ["a missing argument", ["get"], "missing required argument 'kind'"],
    ["a missing option", ["apply"], "required option '-f, --filename <file>' not specified"],
    ["an unknown kind", ["get", "pods"], 'There is no kind "pods"'],
    ["a pair among names", ["get", "svc/a", "b"], '"b" is not KIND/NAME'],
    ["a server that is none", ["status", "--server", "nope"], "is no origin"],
    ["a time that is none", ["status", "--request-timeout", "soon"], "is no duration"],
    ["a revision that is none", ["rollback", "one"], "Write a whole number"],
    ["nothing to delete", ["delete"], "Name what to delete"],
    ["nothing to describe", ["describe", "svc"], "Name what to describe"],
    ["nothing to compare", ["diff"], "Name what to compare"],
    ["files and revisions to compare", ["diff", "1", "-f", "-"], "Name what to compare"],
  ])("%s", async (_, args, message) => {
    const ran = await cli(args, { input: "a: 1" });
    expect(ran).toMatchObject({ code: 2, out: "", err: expect.stringContaining(message) });
  });
});

describe("a mesh that refuses", () => {
  test.each([
    [
      "without a token, with 4",
      problem("admin.unauthorized", "Send the admin token."),
      4,
      "Error: The admin API needs a valid bearer token: Send the admin token.\n" +
        "Pass --token, set SELVEDGE_ADMIN_TOKEN, or run where .selvedge/admin-token lies.\n",
    ],
    [
      "from a foreign place, with 4",
      problem("admin.forbidden", "No."),
      4,
      "Error: The token does not allow this: No.\n",
    ],
    [
      "what is not there, with 3",
      problem("resource.not_found", "Gone."),
      3,
      "Error: There is no such resource: Gone.\n",
    ],
    [
      "what is invalid, with 1 and every field",
      problem("config.invalid", "See fields.", [
        { path: "a", message: "b" },
        { path: "c", message: "d\u001b[2J" },
      ]),
      1,
      "Error: The configuration is not valid: See fields.\n  a: b\n  c: d\ufffd[2J\n",
    ],
    [
      "by its own fault, with 1 and the request id",
      problem("internal", "It failed."),
      1,
      "Error: The mesh failed: It failed.\nLook for request-1 in the mesh's logs.\n",
    ],
  ])("%s", async (_, answer, code, err) => {
    const mesh = await start({ "GET /api/v1/status": answer });
    expect(await cli(["status", "--server", mesh.url])).toEqual({ code, out: "", err });
  });

  test.each([
    ["a page of a proxy", new Answer(502, "<html>"), "answered 502 without a problem document"],
    [
      "a redirect, which would take the token along",
      new Answer(302, "", { location: "http://127.0.0.1:1" }),
      "answered 302",
    ],
    ["success in another language", new Answer(200, "<html>"), "the answer is not what"],
    ["success without what is needed", { revision: 1 }, "the answer is not what"],
  ])("or is none: %s", async (_, answer, message) => {
    const mesh = await start({ "GET /api/v1/status": answer });
    const ran = await cli(["status", "--server", mesh.url]);
    expect(ran).toMatchObject({ code: 1, out: "", err: expect.stringContaining(message) });
  });
});

describe("a mesh that does not answer ends with 5", () => {
  test("nobody listens", async () => {
    const mesh = await startMesh({});
    await mesh.close();
    const ran = await cli(["status", "--server", mesh.url]);
    expect(ran).toEqual({
      code: 5,
      out: "",
      err:
        `Error: Nothing answers at ${mesh.url}: ECONNREFUSED.\n` +
        "Start a mesh there with `npx selvedge dev`, or name another: --server URL or SELVEDGE_SERVER.\n",
    });
  });

  test("it listens and says nothing", async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as AddressInfo;
    const ran = await cli(["status", "--server", `http://127.0.0.1:${port}`, "--request-timeout", "50ms"]);
    silent.close();
    expect(ran).toMatchObject({ code: 5, err: expect.stringContaining("did not answer within 0.05 s") });
  });
});

describe("the token", () => {
  test.each([
    ["from the option", ["--token", "given"], { SELVEDGE_ADMIN_TOKEN: "env" }, "Bearer given"],
    ["from the environment", [], { SELVEDGE_ADMIN_TOKEN: "env" }, "Bearer env"],
    ["from nowhere", [], {}, undefined],
  ])("%s", async (_, args, env, authorization) => {
    const mesh = await start({ "GET /api/v1/status": STATUS });
    await cli(["status", "--server", mesh.url, ...args], { env });
    expect(mesh.heard).toEqual([{ line: "GET /api/v1/status", authorization, body: undefined }]);
  });
});

test("global options stand before or after the command", async () => {
  const mesh = await start({ "GET /api/v1/status": STATUS });
  const [before, after] = [
    await cli(["--server", mesh.url, "status", "-o", "json"]),
    await cli(["status", "-o", "json", "--server", mesh.url]),
  ];
  expect(before).toEqual({ code: 0, out: `${JSON.stringify(STATUS, null, 2)}\n`, err: "" });
  expect(after).toEqual(before);
});

test("color is for terminals", async () => {
  const mesh = await start({ "GET /api/v1/status": problem("internal", "It failed.") });
  const ran = await cli(["status", "--server", mesh.url], { isTerminal: true });
  expect(ran.err).toContain("\u001b[31mError:\u001b[0m The mesh failed");
});
