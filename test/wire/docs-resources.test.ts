/** The reference of the kinds cannot fall behind: it is compared with the schemas, and its examples are applied. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { statusOf } from "../../shared/compile/conditions.ts";
import { warnings } from "../../shared/compile/warnings.ts";
import { kindsOf, type KindInfo } from "../../shared/wire/resources/kinds.ts";
import { documentSchemas, isKnownKind } from "../../shared/wire/resources/schemas.ts";
import { isPlainObject } from "../../shared/wire/shape.ts";
import { parseYaml, store, worldOf } from "../compile/worlds.ts";

const ROOT = join(import.meta.dirname, "../..");
const INDEX = "docs/resources.md";
const REFERENCE = ["services", "gateways", "routes", "policies"].map((name) => `docs/resources/${name}.md`);
/** Recipes build on the first two. */
const BASE = REFERENCE.slice(0, 2);
const RECIPES = "docs/resources/recipes.md";

const pages = new Map(
  [
    "README.md",
    ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md"))
      .map((name) => `docs/${name}`),
  ].map((path) => [path, readFileSync(join(ROOT, path), "utf8")]),
);

function textOf(path: string): string {
  return pages.get(path) ?? "";
}

interface Example {
  /** File and line. */
  readonly where: string;
  readonly yaml: string;
}

/** The resources in a page's code blocks. */
function examplesIn(path: string): Example[] {
  const text = textOf(path);
  return [...text.matchAll(/^```yaml\n(.*?)^```$/gms)]
    .filter(([, yaml = ""]) => /^apiVersion:/m.test(yaml))
    .map(({ 1: yaml = "", index }) => ({
      where: `${path}:${text.slice(0, index).split("\n").length}`,
      yaml,
    }));
}

/** All conditions anywhere in a status. */
function conditionsIn(status: unknown): Readonly<Record<string, unknown>>[] {
  if (Array.isArray(status)) return status.flatMap(conditionsIn);
  if (!isPlainObject(status)) return [];
  return "reason" in status ? [status] : Object.values(status).flatMap(conditionsIn);
}

function joined(paths: readonly string[]): string {
  return paths
    .flatMap(examplesIn)
    .map(({ yaml }) => yaml)
    .join("\n---\n");
}

/** What an apply of the documents, after those that are there, would warn of. */
function warningsOf(yaml: string, before = ""): string[] {
  const refs = parseYaml(yaml).map(({ apiVersion, kind, metadata: { namespace, name } }) => ({
    apiVersion,
    kind,
    namespace,
    name,
  }));
  return warnings(worldOf(`${before}\n---\n${yaml}`), refs);
}

describe("examples", () => {
  test.each([...pages.keys()].flatMap(examplesIn))("$where is accepted", ({ yaml }) => {
    expect(parseYaml(yaml)).not.toEqual([]);
  });

  test("those of the reference fit together", () => {
    expect(warningsOf(joined(REFERENCE))).toEqual([]);
  });

  test("those of the reference are all that Gateway API wants of them", () => {
    const world = worldOf(joined(REFERENCE));
    const statuses = parseYaml(joined(REFERENCE)).map((parsed, age) => statusOf(world, store(parsed, age)));
    const untrue = statuses.flatMap(conditionsIn).filter(({ status }) => status !== "True");
    expect(new Set(untrue.map(({ reason }) => reason))).toEqual(new Set(["NoConflicts"]));
  });

  test.each(examplesIn(RECIPES))("the recipe at $where works with the services and gateways", ({ yaml }) => {
    expect(warningsOf(yaml, joined(BASE))).toEqual([]);
  });

  test("there is one of every kind", () => {
    const shown = new Set(parseYaml(joined(REFERENCE)).map(({ kind }) => kind));
    expect(OWN.map(({ kind }) => kind).filter((kind) => !shown.has(kind))).toEqual([]);
  });
});

function isForeign({ apiVersion }: KindInfo): boolean {
  return apiVersion.startsWith("networking.istio.io/") || apiVersion.startsWith("consul.hashicorp.com/");
}

const OWN = kindsOf().filter((info) => !isForeign(info));

/** GitHub's anchor of a heading. */
function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, "")
    .replace(/\s/g, "-");
}

/** A page's sections by anchor, each with those below it, without code blocks: a comment in one looks like a heading. */
function sectionsOf(path: string): Map<string, string> {
  const text = textOf(path).replace(/^```.*?^```$/gms, "");
  const headings = [...text.matchAll(/^(#+) (.+)$/gm)];
  return new Map(
    headings.map(({ 1: level = "", 2: title = "", index }, at) => {
      const next = headings.slice(at + 1).find(([, other = ""]) => other.length <= level.length);
      return [slugOf(title), text.slice(index, next?.index)];
    }),
  );
}

interface Section {
  readonly path: string;
  readonly text: string;
}

const sections = new Map<string, Section>(
  [INDEX, ...REFERENCE, RECIPES].flatMap((path) =>
    [...sectionsOf(path)].map(([slug, text]) => [`${path}#${slug}`, { path, text }] as const),
  ),
);

/** The targets of a text's links within the repository, as `path` or `path#anchor`. */
function linksOf({ path, text }: Section): string[] {
  return [...text.matchAll(/\]\(([^)]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !target.startsWith("https:"))
    .map((target) => (target.startsWith("#") ? path + target : normalize(join(dirname(path), target))));
}

const KIND_SLUGS = new Set(kindsOf().map(({ kind }) => kind.toLowerCase()));

/** A kind's section and those that it refers to, except for other kinds'. */
function describedBy(kind: string): string {
  const own = [...sections].filter(([key]) => key.endsWith(`.md#${kind.toLowerCase()}`));
  const shared = own
    .flatMap(([, section]) => linksOf(section))
    .filter((link) => !KIND_SLUGS.has(link.split("#")[1] ?? ""));
  return [...own.map(([, { text }]) => text), ...shared.map((link) => sections.get(link)?.text ?? "")].join(
    "\n",
  );
}

/** The words in a text's inline code. */
function codeWords(text: string): Set<string> {
  return new Set([...text.matchAll(/`([^`\n]+)`/g)].flatMap(([, code = ""]) => code.split(/[^A-Za-z0-9]+/)));
}

/** The names of all fields of a JSON schema, at any depth. */
function fieldsOf(schema: unknown): string[] {
  if (Array.isArray(schema)) return schema.flatMap(fieldsOf);
  if (!isPlainObject(schema)) return [];
  const { properties, items, anyOf } = schema;
  const own = isPlainObject(properties) ? Object.entries(properties) : [];
  return [
    ...own.flatMap(([name, inner]) => [name, ...fieldsOf(inner)]),
    ...fieldsOf(items),
    ...fieldsOf(anyOf),
  ];
}

/** What is told once for all kinds. */
const COMMON = new Set(["apiVersion", "kind", "metadata", "spec", "status"]);

/** The names of all fields that documents of a kind may have, also of those that are refused, and of its versions. */
function namesOf({ kind, accepts }: KindInfo): string[] {
  if (!isKnownKind(kind)) throw new Error(`${kind} has no schema`);
  const schema = z.toJSONSchema(documentSchemas[kind], { io: "input", unrepresentable: "any" });
  const { properties = {} } = schema;
  const fields = Object.entries(properties).flatMap(([name, inner]) => [
    ...(COMMON.has(name) ? [] : [name]),
    ...(name === "metadata" ? [] : fieldsOf(inner)),
  ]);
  return [...new Set([...fields, ...accepts.map((version) => version.split("/").at(-1) ?? "")])];
}

describe("the reference", () => {
  test.each(OWN)("has every field and version of $kind", (info) => {
    const words = codeWords(describedBy(info.kind));
    expect(namesOf(info).filter((name) => !words.has(name))).toEqual([]);
  });

  test("has every field of metadata", () => {
    const { metadata } =
      z.toJSONSchema(documentSchemas.Service, { io: "input", unrepresentable: "any" }).properties ?? {};
    const words = codeWords(sections.get(`${INDEX}#what-all-documents-have`)?.text ?? "");
    expect(fieldsOf(metadata).filter((name) => !words.has(name))).toEqual([]);
  });

  test("lists every kind", () => {
    const listed = codeWords(sections.get(`${INDEX}#documents-of-istio-and-consul`)?.text ?? "");
    const linked = new Set(linksOf({ path: INDEX, text: textOf(INDEX) }).map((link) => link.split("#")[1]));
    const missing = kindsOf().filter((info) =>
      isForeign(info) ? !listed.has(info.kind) : !linked.has(info.kind.toLowerCase()),
    );
    expect(missing).toEqual([]);
  });

  test("has no link that leads nowhere", () => {
    const known = new Set(
      [...pages.keys()].flatMap((path) => [
        path,
        ...[...sectionsOf(path).keys()].map((slug) => `${path}#${slug}`),
      ]),
    );
    const links = [INDEX, ...REFERENCE, RECIPES].flatMap((path) => linksOf({ path, text: textOf(path) }));
    expect(links.filter((link) => !known.has(link))).toEqual([]);
  });
});
