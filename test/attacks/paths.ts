/** Ways to write `/admin` that a policy might not know and a backend might. */
import { type Arms, type Attack, DOOR, get, type Target } from "./attack.ts";

const REFUSED = ["400 path.noncanonical", "400 path.encoded"];
/** What the runtime itself does not take for HTTP has no code of ours. */
const REFUSED_EARLY = [...REFUSED, "400"];
const DENIED = ["403 authz.rule"];

const UP = [
  "..",
  "%2e%2e",
  "%2E%2E",
  ".%2e",
  "%2e.",
  "%252e%252e",
  "%25%32%65%25%32%65",
  "%c0%ae%c0%ae",
  "%e0%80%ae%e0%80%ae",
  "..;",
  "..;x=1",
  "%2e%2e;",
  "..%3b",
  "..%00",
  "..%09",
  "..%0d%0a",
  "..%ff",
];
const SLASHES = ["/", "%2f", "%2F", "%5c", "\\", "%252f", "%255c", "%c0%af", "%e0%80%af"];
/** Escapes of control characters: any could end a text or be cut off somewhere. */
const CONTROLS = [...Array.from({ length: 32 }, (_, code) => code), 127].map(
  (code) => `%${code.toString(16).padStart(2, "0")}`,
);
const LETTERS = [..."admin"];

type Row = readonly [target: string, expected: readonly string[]];

function rows(): ReadonlyMap<string, readonly string[]> {
  return new Map([
    ...UP.flatMap((up) => SLASHES.map((slash): Row => [`/open/${up}${slash}admin`, REFUSED])),
    ...SLASHES.slice(1).flatMap((slash): Row[] => [
      [`${slash}admin`, [...REFUSED_EARLY, "200", "200 path.encoded"]],
      [`/${slash}admin`, REFUSED],
      [`/admin${slash}`, REFUSED],
      [`/admin${slash}x`, REFUSED],
      [`/open${slash}..${slash}admin`, REFUSED],
    ]),
    ...CONTROLS.flatMap((control): Row[] => [
      [`/admin${control}`, REFUSED],
      [`/${control}admin`, REFUSED],
    ]),
    ...LETTERS.flatMap((letter, at): Row[] => {
      const code = letter.charCodeAt(0).toString(16);
      const written = (escape: string) => `/${LETTERS.toSpliced(at, 1, escape).join("")}`;
      return [
        [written(`%${code}`), DENIED],
        [written(`%${code.toUpperCase()}`), DENIED],
        [written(`%25${code}`), REFUSED],
        [written(`%2525${code}`), REFUSED],
      ];
    }),
    ...PLAIN,
  ]);
}

const PLAIN: readonly Row[] = [
  ["/admin", DENIED],
  ["/admin/", DENIED],
  ["/admin/x", DENIED],
  ["/admin?", DENIED],
  ["/admin?x=/open", DENIED],
  ["/admin?/../open", DENIED],
  ["/admin#x", DENIED],
  ["/admin/#/../open", DENIED],
  ["/%61%64%6d%69%6e", DENIED],
  ["/%61%64%6D%69%6E/x", DENIED],
  ["//admin", DENIED],
  ["///admin", DENIED],
  ["//////////admin", DENIED],
  ["/admin//", DENIED],
  ["//%61dmin//x", DENIED],
  ["/./admin", REFUSED],
  ["/.//admin", REFUSED],
  ["/%2e/admin", REFUSED],
  ["/open/.././admin", REFUSED],
  ["/open/../../../admin", REFUSED],
  ["/admin/.", REFUSED],
  ["/admin/..", REFUSED],
  ["/admin/%2e", REFUSED],
  ["/..", REFUSED],
  ["/admin;", REFUSED],
  ["/admin;a=b", REFUSED],
  ["/;/admin", REFUSED],
  ["/;x=1/admin", REFUSED],
  ["/open;/../admin", REFUSED],
  ["/adm;in", REFUSED],
  ["/%3b/admin", REFUSED],
  ["/.%3b/admin", REFUSED],
  ["/%", REFUSED],
  ["/%a", REFUSED],
  ["/admin%", REFUSED],
  ["/admin%2", REFUSED],
  ["/admin%zz", REFUSED],
  ["/admin%u002f", REFUSED],
  ["/%u0061dmin", REFUSED],
  ["/%ff", REFUSED],
  ["/%ed%a0%80", REFUSED],
  ["/%f4%90%80%80", REFUSED],
  ["/\\\\admin", REFUSED],
  ["/open/..\\admin", REFUSED],
  ["/\\evil.test/admin", REFUSED],
  // Bytes that stand in no URI.
  ["/admin\u00a0", REFUSED_EARLY],
  ["/\u00e4dmin", REFUSED_EARLY],
  ["/admin\u00c0\u00af", REFUSED_EARLY],
  ["/admin\t", REFUSED_EARLY],
  ["/admin x", REFUSED_EARLY],
  ["/admin\u000b", REFUSED_EARLY],
  ["/admin\u007f", REFUSED_EARLY],
  ["/admin\u0000", REFUSED_EARLY],
  ["/ admin", REFUSED_EARLY],
  // Harmless: other paths, truly.
  ["/ADMIN", ["200"]],
  ["/Admin", ["200"]],
  ["/administrator", ["200"]],
  ["/open?x=/admin", ["200"]],
  ["/open?../admin", ["200"]],
  ["/open%3f/../admin", REFUSED],
  ["/open%23/../admin", REFUSED],
  // Other forms of a target than a path.
  ["*", ["400 host.invalid", "400"]],
  ["admin", ["200", "400"]],
  ["http://evil.test/admin", ["403 authz.rule", "400", "421 host.unknown"]],
  [`http://${DOOR}/admin`, DENIED],
  [`http://${DOOR}//admin`, DENIED],
  [`http://${DOOR}/open/../admin`, REFUSED],
  [`http://${DOOR}\\admin`, [...REFUSED_EARLY, "400 host.invalid"]],
  [`HTTP://${DOOR}/admin`, [...DENIED, "400", "400 host.invalid"]],
  ["http:/admin", [...DENIED, "200", "400", "400 host.invalid"]],
  ["//evil.test/admin", ["200"]],
  [`/${"a/".repeat(4_000)}../admin`, REFUSED],
  [`/${"x".repeat(20_000)}`, ["414 path.too_long"]],
  [`/admin?${"x".repeat(20_000)}`, ["414 path.too_long"]],
];

/** At the edge by a gateway, and at a Worker with the token of somebody that it lets in. */
export function pathAttacks({ friendOfKeep }: Arms): Attack[] {
  const way: readonly (readonly [Target, readonly string[]])[] = [
    ["edge", [`Host: ${DOOR}`]],
    ["library", ["Host: keep", `X-Selvedge-Peer: ${friendOfKeep}`]],
  ];
  return way.flatMap(([at, lines]) =>
    [...rows()].map(([target, expected]) => ({
      id: `path ${at} ${target.slice(0, 60)} (${target.length})`,
      class: "paths",
      at,
      how: get(target, lines),
      expected,
    })),
  );
}
