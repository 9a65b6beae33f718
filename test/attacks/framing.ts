/** Requests that two parsers could cut in different places. */
import { type Arms, type Attack, bearer, DOOR, get, VAULT } from "./attack.ts";

const REFUSED = ["400"];
/** Taken as one request and its body: what hides in the body stays there. */
const ONE = ["200", "400"];
/** Two requests, and the second is judged for itself. */
const TWO = ["200 then 403 authz.rule", "400 then 403 authz.rule", "400", "200"];

/** The treasure, behind a body that ends too early for somebody. */
const HIDDEN = get("/admin", [`Host: ${DOOR}`]);
const CHUNK = `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`;

type Row = readonly [name: string, lines: readonly string[], body: string, expected: readonly string[]];

const TRANSFERS = [
  "chunked, identity",
  "xchunked",
  "chunked, chunked",
  "chunked;q=1",
  "gzip, chunked",
  '"chunked"',
  "chunked,",
  "\u000bchunked",
  "chun\u0000ked",
  "cow",
];

const LENGTHS = [
  "+5",
  "0x5",
  "-1",
  "",
  "5, 6",
  "5 5",
  "5.0",
  "5e0",
  "18446744073709551621",
  "five",
  "\u0660",
];

const ROWS: readonly Row[] = [
  ...TRANSFERS.map((value): Row => [`TE ${value}`, [`Transfer-Encoding: ${value}`], CHUNK, ONE]),
  ...LENGTHS.map((value): Row => [`CL ${value}`, [`Content-Length: ${value}`], HIDDEN, REFUSED]),
  ["CL and TE", ["Content-Length: 5", "Transfer-Encoding: chunked"], CHUNK, [...ONE, "400 header.invalid"]],
  ["TE and CL", ["Transfer-Encoding: chunked", `Content-Length: ${CHUNK.length}`], CHUNK, ONE],
  ["CL.0", ["Content-Length: 0", "Transfer-Encoding: chunked"], `0\r\n\r\n${HIDDEN}`, ONE],
  ["two CL that differ", ["Content-Length: 0", `Content-Length: ${HIDDEN.length}`], HIDDEN, REFUSED],
  ["two TE", ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], CHUNK, REFUSED],
  ["TE with a blank before the colon", ["Transfer-Encoding : chunked"], CHUNK, REFUSED],
  ["TE folded", ["Transfer-Encoding:", " chunked"], CHUNK, REFUSED],
  ["TE after a bare LF", ["X-A: b\nTransfer-Encoding: chunked"], CHUNK, [...ONE, "no answer"]],
  ["TE after a bare CR", ["X-A: b\rTransfer-Encoding: chunked"], CHUNK, REFUSED],
  ["CL with an underscore", ["Content_Length: 0"], "", ["400 header.invalid"]],
  ["TE with an underscore", ["Transfer_Encoding: chunked"], "", ["200", "400 header.invalid"]],
  [
    "a chunk size with a sign",
    ["Transfer-Encoding: chunked"],
    `+5\r\nhello\r\n0\r\n\r\n`,
    [...ONE, "500", "503 upstream.broken"],
  ],
  [
    "a chunk size of hex with 0x",
    ["Transfer-Encoding: chunked"],
    `0x5\r\nhello\r\n0\r\n\r\n`,
    [...ONE, "500", "503 upstream.broken"],
  ],
  ["a chunk extension", ["Transfer-Encoding: chunked"], `5;a=b\r\nhello\r\n0\r\n\r\n`, ONE],
  [
    "a chunk extension with a bare LF",
    ["Transfer-Encoding: chunked"],
    `5;a\nhello\r\n0\r\n\r\n`,
    [...ONE, "503 upstream.broken"],
  ],
  [
    "a trailer",
    ["Transfer-Encoding: chunked", "Trailer: X-Selvedge-Peer"],
    "5\r\nhello\r\n0\r\nX-Selvedge-Peer: a\r\n\r\n",
    ONE,
  ],
  ["h2c", ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"], HIDDEN, TWO],
  ["a WebSocket that is none", ["Connection: Upgrade", "Upgrade: websocket"], HIDDEN, TWO],
  ["another upgrade", ["Connection: Upgrade", "Upgrade: foo"], HIDDEN, TWO],
  ["an upgrade in the field of another", ["Connection: Upgrade", "Upgrade: foo, websocket"], HIDDEN, TWO],
  ["Expect", ["Expect: 100-continue", "Content-Length: 5"], "hello", ["100 then 200", "200", "417"]],
  ["Expect of nonsense", ["Expect: a", "Content-Length: 5"], "hello", ["200", "400", "417"]],
];

const STARTS: readonly (readonly [start: string, expected: readonly string[]])[] = [
  ["GET /admin HTTP/1.0", ["403 authz.rule", "400", "505"]],
  ["GET /admin HTTP/0.9", ["400", "505", "403 authz.rule"]],
  ["GET /admin HTTP/2.0", ["400", "505", "403 authz.rule"]],
  ["GET /admin HTTP/1.1 HTTP/1.1", ["400"]],
  ["GET /admin", ["400", "no answer"]],
  ["GET  /admin HTTP/1.1", ["400", "403 authz.rule"]],
  ["GET\t/admin\tHTTP/1.1", ["400", "403 authz.rule"]],
  [" GET /admin HTTP/1.1", ["400", "501", "403 authz.rule"]],
  ["\r\nGET /admin HTTP/1.1", ["403 authz.rule", "400"]],
  ["get /admin HTTP/1.1", ["400", "501", "403 authz.rule"]],
  ["G\u0000T /admin HTTP/1.1", ["400", "501"]],
  ["SMUGGLE /admin HTTP/1.1", ["501", "403 authz.rule"]],
  ["TRACE /admin HTTP/1.1", ["403 authz.rule", "405", "501", "400"]],
  // The runtime has no way for it.
  ["CONNECT /admin HTTP/1.1", ["500"]],
  [`CONNECT ${DOOR}:80 HTTP/1.1`, ["500"]],
  ["OPTIONS * HTTP/1.1", ["400 host.invalid", "400"]],
  ["PRI * HTTP/2.0", ["400", "501", "505", "400 host.invalid"]],
];

export function framingAttacks({ stranger }: Arms): Attack[] {
  const rows = ROWS.map(([name, lines, body, expected]) => {
    const head = [`Host: ${DOOR}`, ...lines].map((line) => `${line}\r\n`).join("");
    return attack(name, `POST /open HTTP/1.1\r\n${head}\r\n${body}`, expected);
  });
  const starts = STARTS.map(([start, expected]) =>
    attack(start, `${start}\r\nHost: ${DOOR}\r\nConnection: close\r\n\r\n`, expected),
  );
  // A second request on the connection of a first that was let in is judged for itself.
  const second = `GET /open HTTP/1.1\r\nHost: ${DOOR}\r\n\r\n${HIDDEN}`;
  const another = `GET /open HTTP/1.1\r\nHost: ${DOOR}\r\n\r\n${get("/", [`Host: ${VAULT}`, bearer(stranger)])}`;
  return [
    ...rows,
    ...starts,
    attack("a second request", second, ["200 then 403 authz.rule"]),
    attack("a second host", another, ["200 then 403 authz.default_deny"]),
  ];
}

function attack(name: string, how: string, expected: readonly string[]): Attack {
  return { id: `framing ${name}`, class: "framing", at: "edge", how, expected };
}
