/**
 * Parts that the descriptions of all operations share.
 *
 * @module
 */
import type { z } from "zod";
import { problemDocument } from "../../shared/wire/admin.ts";

/** What every operation answers when it fails. */
export const PROBLEM = {
  description: "A problem (RFC 9457).",
  content: { "application/problem+json": { schema: problemDocument } },
};

/** The answers of an operation: one when it succeeds, a problem otherwise. */
export function answers<Schema extends z.ZodType>(schema: Schema, description: string) {
  return { 200: { description, content: { "application/json": { schema } } }, default: PROBLEM };
}

/** A JSON body that must be there. */
export function jsonBody<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: { "application/json": { schema } } };
}

/** Marks an operation that needs no token. */
export const PUBLIC = { security: [] };
