/**
 * Kubernetes' Secret and ConfigMap, as far as others refer to them. What a
 * value is, is looked at once; values themselves are never kept.
 *
 * @module
 */
import { z } from "zod";
import { inert } from "./fields.ts";

/** What stands under a key. */
export type ValueForm = "certificate" | "key" | "other";

const forms = z.record(z.string().max(253), z.enum(["certificate", "key", "other"]));

/** How the mesh keeps them: the keys, and what stood there. */
const kept = z.strictObject({ holds: forms.default({}) });

const texts = z.record(z.string().max(253), z.string()).nullable().optional();

/** The fields beside `metadata`, in the place of a `spec`. */
export const secretFields = {
  spec: kept.optional(),
  data: texts,
  stringData: texts,
  type: inert,
  immutable: inert,
};

export const configMapFields = {
  spec: kept.optional(),
  data: texts,
  binaryData: texts,
  immutable: inert,
};

/** Text as it stands, and text in base64. */
interface Values {
  readonly plain: Readonly<Record<string, string>> | null | undefined;
  readonly encoded: Readonly<Record<string, string>> | null | undefined;
}

/** Looks at the values and forgets them. */
export function inspectValues({ plain, encoded }: Values, known: HeldValues | undefined): HeldValues {
  const decoded = Object.entries(encoded ?? {}).map(([key, text]) => [key, decode(text)] as const);
  const found = [...decoded, ...Object.entries(plain ?? {})].map(
    ([key, text]) => [key, formOf(text)] as const,
  );
  return { holds: { ...known?.holds, ...Object.fromEntries(found) } };
}

function decode(text: string): string {
  try {
    return atob(text.replace(/\s/g, ""));
  } catch {
    // Kubernetes refuses it; here it is a value that is of no use.
    return "";
  }
}

/** PEM blocks (RFC 7468) whose bodies are DER: base64 that begins a sequence. */
const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\s+(MI[A-Za-z0-9+/=\s]+)-----END \1-----/g;

function formOf(text: string): ValueForm {
  const labels = [...text.matchAll(BLOCK)].map(([, name = ""]) => name);
  if (labels.includes("CERTIFICATE")) return "certificate";
  return labels.some((name) => name.endsWith("PRIVATE KEY")) ? "key" : "other";
}

export type HeldValues = z.output<typeof kept>;
