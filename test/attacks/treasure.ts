/**
 * Which paths a backend takes for `/admin`, when it reads them as carelessly
 * as backends in the wild do.
 *
 * @module
 */

/** Ways of reading a path, one after another, as different servers and frameworks do. */
const READERS: readonly ((path: string) => string)[] = [
  cut,
  (path) => cut(decode(path)),
  (path) => cut(decode(decode(path))),
  (path) => withoutParameters(cut(path)),
  (path) => withoutParameters(cut(decode(path))),
  (path) => cut(decode(path)).split("\0", 1)[0] ?? "",
];

/** Whether any of them comes to `/admin` or something below it. */
export function isTreasure(target: string): boolean {
  return READERS.some((read) => /^\/admin(?:\/|$)/.test(resolved(read(target))));
}

/** Without query and fragment. */
function cut(path: string): string {
  return path.split(/[?#]/, 1)[0] ?? "";
}

/** Each escape for itself, whatever it makes; overlong slashes and dots, too. */
function decode(path: string): string {
  return path
    .replace(/%c0%af|%e0%80%af/gi, "/")
    .replace(/%c0%ae|%e0%80%ae/gi, ".")
    .replace(/%([0-9a-f]{2})/gi, (_escape, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    );
}

/** As Tomcat and Spring do: `/a;x=1/b` is `/a/b`. */
function withoutParameters(path: string): string {
  return path.replace(/;[^/]*/g, "");
}

/** Backslashes turned, empty segments left out, dot segments resolved. */
function resolved(path: string): string {
  const kept: string[] = [];
  for (const segment of path.replaceAll("\\", "/").split("/")) {
    if (segment === "..") kept.pop();
    else if (segment !== "" && segment !== ".") kept.push(segment.trim());
  }
  return `/${kept.join("/")}`;
}
