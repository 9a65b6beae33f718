/**
 * Parsers of options, shared by commands.
 *
 * @module
 */
import { InvalidArgumentError, Option } from "commander";

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
