import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { EXIT } from "../../cli/failure.ts";
import { cli } from "./cli-kit.ts";

const page = await readFile(new URL("../../docs/cli.md", import.meta.url), "utf8");

test("the page has every command", async () => {
  const { out } = await cli(["--help"]);
  const commands = [...out.matchAll(/^ {2}([a-z]+)\b/gm)]
    .map(([, name]) => name)
    .filter((name) => name !== "help");
  const described = new Set([...page.matchAll(/^\| `([a-z]+)\b/gm)].map(([, name]) => name));
  expect([...described].sort()).toEqual(commands.sort());
});

test("the page has every exit code", () => {
  const described = [...page.matchAll(/^\| (\d) \|/gm)].map(([, code]) => Number(code));
  expect(described).toEqual(Object.values(EXIT));
});
