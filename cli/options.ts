/**
 * Parsers of options, shared by commands.
 *
 * @module
 */
import { InvalidArgumentError, Option } from "commander";
import { EXIT, Failure } from "./failure.ts";

/** Gathers an option that may be repeated. */
export function collect(value: string, known: readonly string[] = []): readonly string[] {
  return [...known, value];
}

/** A whole number from 0. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("Write a whole number.");
  return Number(text);
}

/** `-o`, with the formats of a command; the first is the default. */
export function outputOption(formats: readonly string[]): Option {
  return new Option("-o, --output <format>", "how to print").choices([...formats]).default(formats[0]);
}

/** Takes `name: value` apart. */
export function parseHeader(text: string): { readonly name: string; readonly value: string } {
  const colon = text.indexOf(":");
  if (colon < 1) throw new Failure(EXIT.usage, [`"${text}" is no header: write 'name: value'.`]);
  return { name: text.slice(0, colon).trim(), value: text.slice(colon + 1).trim() };
}
