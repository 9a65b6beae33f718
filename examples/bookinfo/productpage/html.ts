/**
 * Text that is safe in a page.
 *
 * @module
 */

/** Markup: made by `html` alone. */
export class Html {
  readonly markup: string;

  constructor(markup: string) {
    this.markup = markup;
  }
}

type Content = string | number | null | Html | readonly Content[];

/** Markup with values in it: strings are escaped, `Html` stands as it is, lists are joined, null is nothing. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(parts.reduce((before, part, n) => before + render(values[n - 1] ?? null) + part));
}

function render(value: Content): string {
  if (value === null) return "";
  if (value instanceof Html) return value.markup;
  if (typeof value === "object") return value.map(render).join("");
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
