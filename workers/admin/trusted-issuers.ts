/**
 * Issuers that a variable of the Worker names: only whoever deploys the mesh
 * decides whose tokens it takes.
 *
 * @module
 */
import { decodeJwt } from "jose";
import type { z } from "zod";

export interface TrustedIssuer {
  /** As `iss` has it. */
  readonly issuer: string;
  readonly jwksUri?: string | undefined;
}

/** The issuer of a token among those of a variable's text; `null`: it is none of theirs. */
export type FindIssuer<Issuer> = (token: string, text: string, allowsHttp: boolean) => Issuer | null;

/**
 * Reads a variable, once while its text stays. One that is not valid trusts
 * nobody, and says so in the log; keys over plain HTTP are for a mesh that
 * allows private endpoints.
 */
export function trustedIssuers<Issuer extends TrustedIssuer>(
  variable: string,
  schema: z.ZodType<readonly Issuer[]>,
): FindIssuer<Issuer> {
  let known: { readonly text: string; readonly issuers: readonly Issuer[] } = { text: "", issuers: [] };
  return (token, text, allowsHttp) => {
    if (known.text !== text) known = { text, issuers: text === "" ? [] : read(variable, schema, text) };
    const claimed = known.issuers.length === 0 ? undefined : issuerIn(token);
    const found = known.issuers.find(({ issuer }) => issuer === claimed);
    return found === undefined || (found.jwksUri?.startsWith("http:") === true && !allowsHttp) ? null : found;
  };
}

function read<Issuer>(
  variable: string,
  schema: z.ZodType<readonly Issuer[]>,
  text: string,
): readonly Issuer[] {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    console.error(JSON.stringify({ level: "error", at: variable, error: String(error) }));
    return [];
  }
}

/** By what the token says of itself: its signature is still to be looked at. */
function issuerIn(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    // Not a JWT at all.
    return undefined;
  }
}
