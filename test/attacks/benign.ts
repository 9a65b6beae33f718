/** Ordinary requests, and odd ones that are right all the same: whoever refuses them breaks somebody's service. */
import { thumbprintOf } from "../../shared/identity/thumbprint.ts";
import {
  type Arms,
  type Attack,
  bearer,
  DOOR,
  get,
  request,
  send,
  type Target,
  USERS,
  VAULT,
} from "./attack.ts";

import { boundToken } from "./bindings.ts";
import { fronted, shown } from "./certificates.ts";

const OK = ["200"];

/** Reserved characters that may stand in a path as they are (RFC 3986 §3.3), and what must be escaped. */
const PLAIN = [..."-._~!$&'()*+,=:@"];
const ESCAPED = [
  ..." \"<>[]^`{|}#?&=+$,:@!'()*\u00e4\u00f6\u00fc\u00df\u00e9\u00f1\u65e5\u672c\u8a9e\u{1f600}\u0440\u0443\u0441\u05e9\u0627\u0e01",
];

const WORDS = [
  "index.html",
  "a",
  "A",
  "42",
  "file.tar.gz",
  "a-b_c",
  "v1.2.3",
  "~user",
  "...",
  "..a",
  "a..b",
  ".well-known",
  ".hidden",
  "administrator",
  "admin-panel",
  "my-admin",
  "Admin",
];

const PATHS: readonly string[] = [
  "/",
  "/?",
  "/?a",
  "/?a=",
  "/?=a",
  "/?a=b&a=c&&",
  "/?q=a+b%20c",
  "/?q=%2e%2e%2f",
  "/?path=../../admin",
  "/?path=/admin",
  "/?url=http://example.com/admin?x=1",
  "/?url=http%3A%2F%2Fexample.com%2Fa",
  "/?json={%22a%22:[1,2]}",
  "/?a[]=1&a[]=2",
  "/?a;b",
  "/?a|b^c`d",
  "/?%",
  "/?%zz",
  "/?%ff",
  "/?a=b?c=d",
  `/?${"x".repeat(8_000)}`,
  `/?${"a=b&".repeat(1_500)}`,
  `/${"a/".repeat(2_000)}`,
  `/${"x".repeat(8_000)}`,
  "//",
  "///a",
  "/a//b///c",
  "/a/",
  "/a/b/c/d/e/f/g",
  "/100%25",
  "/100%25/off",
  "/50%25%20off",
  "/a%20b%20c",
  "/%20",
  "/a%2520b",
  "/q%25",
  "/@scope/package",
  "/a:b:c",
  "/a=b",
  "/a,b,c",
  "/(a)(b)",
  "/users/me@example.com",
  "/1+1",
  "/$metadata",
  "/%24metadata",
  "/odata/Products(1)",
  "/caf%C3%A9",
  "/caf%c3%a9",
  "/%E6%97%A5%E6%9C%AC%E8%AA%9E/a",
  "/%F0%9F%98%80",
  "/a{b}",
  "/a|b",
  "/a^b",
  '/a"b',
  "/a[0]",
];

const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];

const FIELDS: readonly (readonly string[])[] = [
  ["Accept: */*"],
  ["Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "Accept: text/plain"],
  ["Accept-Language: de-CH, de;q=0.9, *;q=0.5"],
  ["Accept-Encoding: gzip, deflate, br, zstd"],
  ["User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"],
  ["User-Agent: curl/8.5.0"],
  ["User-Agent:"],
  [`User-Agent: ${"x".repeat(4_000)}`],
  ["Cookie: a=b"],
  ['Cookie: a=b; c=d; e="f g"; h=i,j'],
  ["Cookie: a=b", "Cookie: c=d"],
  [`Cookie: session=${"x".repeat(4_000)}`],
  ["Range: bytes=0-99"],
  ["Range: bytes=0-99,200-299,-5"],
  ['If-None-Match: "abc", W/"def"'],
  ["If-Match: *"],
  ["If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT"],
  ['If-Range: "abc"', "Range: bytes=0-1"],
  ["Cache-Control: no-cache, max-age=0"],
  ["Pragma: no-cache"],
  ["Referer: https://example.com/admin?x=../.."],
  ["Origin: https://example.com"],
  ["Origin: null"],
  ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors"],
  ["Connection: keep-alive"],
  ["Connection: Keep-Alive, X-Own"],
  ["Connection: close"],
  ["Keep-Alive: timeout=5"],
  ["TE: trailers"],
  ["Upgrade-Insecure-Requests: 1"],
  ["DNT: 1"],
  ["Via: 1.1 proxy, 1.0 other"],
  ["X-Forwarded-For: 203.0.113.1, 198.51.100.2"],
  ["X-Forwarded-Proto: https", "X-Forwarded-Host: example.com"],
  ["Forwarded: for=192.0.2.60;proto=http;by=203.0.113.43"],
  ["X-Request-Id: 0123456789abcdef"],
  ["X-Request-Id: not/plain \u00e4"],
  ["traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate: a=b,c=d"],
  ["traceparent: nonsense"],
  ["Baggage: a=b;c, d=e"],
  ['Content-Type: application/json; charset="a,b"'],
  ["Content-Type: multipart/form-data; boundary=----x"],
  ["Content-Type:"],
  ["Authorization: Basic dXNlcjpwYXNz"],
  ["Authorization: Bearer of-somebody-else"],
  ["Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."],
  ['Authorization: Digest username="a", realm="b", nonce="c", uri="/", response="d"'],
  ["Authorization: AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c"],
  ['Authorization: Hawk id="a", ts="1", nonce="b", mac="c"'],
  ["X-Custom: a", "X-Custom: b"],
  ["x-lower: a", "X-UPPER: b"],
  ["X_Underscore: a"],
  ["My_Own_Header: a"],
  ["X-Empty:"],
  ["X-Utf8: \u00c3\u00a4"],
  ["X-Tab: a\tb"],
  ['X-Json: {"a": [1, 2]}'],
  [`X-Long: ${"x".repeat(8_000)}`],
  Array.from({ length: 100 }, (_, at) => `X-Field-${at}: a`),
  ["Prefer: respond-async"],
  ["Priority: u=1, i"],
  ["Idempotency-Key: 8e03978e-40d5-43dd-bc93-6894a57f9324"],
  ["Content-Language: en", "Content-Encoding: identity"],
  ["Max-Forwards: 10"],
  ["From: a@example.com"],
  ["grpc-timeout: 1S", "TE: trailers"],
  ["X-Selvedge-Hops: 1"],
];

const HOSTS = [
  DOOR,
  DOOR.toUpperCase(),
  "Door.LocalHost",
  `${DOOR}.`,
  `${DOOR}:80`,
  `${DOOR}:8080`,
  `${DOOR}:443`,
];

const BODIES: readonly (readonly [type: string, body: string])[] = [
  ["application/json", '{"path":"../../admin"}'],
  ["application/x-www-form-urlencoded", "a=b&path=%2e%2e%2fadmin"],
  ["text/plain", "GET /admin HTTP/1.1\r\nHost: door.localhost\r\n\r\n"],
  ["application/grpc", "\u0000\u0000\u0000\u0000\u0000"],
  ["application/grpc+proto", "\u0000\u0000\u0000\u0000\u0002\u0008\u0001"],
  ["application/grpc-web+proto", "\u0000\u0000\u0000\u0000\u0000"],
  ["application/octet-stream", "\u0000".repeat(1_000)],
  [
    "multipart/form-data; boundary=x",
    '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n',
  ],
  ["application/json", ""],
  ["application/json", "x".repeat(100_000)],
];

/** Requests of the same form as attacks; each is to be answered by the service itself. */
export async function benignRequests(arms: Arms): Promise<Attack[]> {
  const { friend, friendOfKeep, signAsIssuer, issuerKey, certificates } = arms;
  const now = Math.floor(Date.now() / 1000);
  const user = {
    iss: "https://issuer.example",
    sub: "root",
    aud: ["users", "others"],
    exp: now + 300,
    admin: true,
  };
  const cnf = { "x5t#S256": await thumbprintOf(certificates.ofFriend) };
  const bound = await boundToken(arms, { cnf });
  const userToken = await signAsIssuer({ alg: "ES256", kid: issuerKey.kid }, user);
  const paths = [
    ...PATHS,
    ...PLAIN.flatMap((character) => [`/a${character}b`, `/a%${hex(character)}b`, `/x/${character}a`]),
    ...ESCAPED.flatMap((character) => [
      `/a${encodeURIComponent(character)}b`,
      `/?q=${encodeURIComponent(character)}`,
    ]),
    ...WORDS.flatMap((word) => [`/${word}`, `/a/${word}`, `/${word}/b`, `/${word}?x=1`]),
  ].filter((path) => !path.includes("%3B"));
  const ways: readonly (readonly [Target, readonly string[]])[] = [
    ["edge", [`Host: ${DOOR}`]],
    ["library", ["Host: keep", `X-Selvedge-Peer: ${friendOfKeep}`]],
  ];
  return [
    ...ways.flatMap(([at, lines]) =>
      [...new Set(paths)].map((path) => asked(`path ${path}`, at, get(path, lines))),
    ),
    ...FIELDS.map((lines) =>
      asked(`fields ${lines.join(" | ")}`, "edge", get("/open", [`Host: ${DOOR}`, ...lines])),
    ),
    ...HOSTS.flatMap((host) =>
      ["/", "/a?b"].map((path) => asked(`host ${host} ${path}`, "edge", get(path, [`Host: ${host}`]))),
    ),
    ...METHODS.flatMap((method) =>
      ["/", "/a/b", "/a?b=c"].map((path) =>
        asked(`method ${method} ${path}`, "edge", request(method, path, [`Host: ${DOOR}`])),
      ),
    ),
    ...["POST", "PUT", "PATCH", "DELETE"].flatMap((method) =>
      BODIES.flatMap(([type, body], at) => [
        asked(`body ${method} ${type} ${at}`, "edge", told(method, type, body)),
        asked(`chunks ${method} ${type} ${at}`, "edge", chunked(method, type, body)),
      ]),
    ),
    asked("HTTP/1.0", "edge", `GET / HTTP/1.0\r\nHost: ${DOOR}\r\n\r\n`),
    asked("a whole URL", "edge", get(`http://${DOOR}/a?b`, [`Host: ${DOOR}`])),
    asked("a friend of the vault", "edge", get("/", [`Host: ${VAULT}`, bearer(friend)])),
    asked(
      "a friend of the vault as peer",
      "edge",
      get("/", [`Host: ${VAULT}`, `X-Selvedge-Peer: ${friend}`]),
    ),
    asked(
      "a friend said twice alike",
      "edge",
      get("/", [`Host: ${VAULT}`, bearer(friend), `X-Selvedge-Peer: ${friend}`]),
    ),
    asked("a friend writes", "edge", send("POST", "/a", [`Host: ${VAULT}`, bearer(friend)], "{}")),
    asked(
      "a friend by a certificate",
      "front",
      fronted(shown(certificates.ofFriend, certificates.chain), []),
    ),
    asked(
      "a friend by certificate and token",
      "front",
      fronted(shown(certificates.ofFriend, certificates.chain), [bearer(friend)]),
    ),
    asked(
      "a friend by a token and the certificate that it is bound to",
      "front",
      fronted(shown(certificates.ofFriend, certificates.chain), [bearer(bound)]),
    ),
    asked("an end user by a field", "edge", get("/", [`Host: ${USERS}`, `X-User-Token: ${userToken}`])),
  ];
}

function hex(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase();
}

function told(method: string, type: string, body: string): string {
  const lines = [`Host: ${DOOR}`, `Content-Type: ${type}`, `Content-Length: ${body.length}`];
  return `${request(method, "/open", lines)}${body}`;
}

function chunked(method: string, type: string, body: string): string {
  const lines = [`Host: ${DOOR}`, `Content-Type: ${type}`, "Transfer-Encoding: chunked"];
  const chunk = body === "" ? "" : `${body.length.toString(16)}\r\n${body}\r\n`;
  return `${request(method, "/open", lines)}${chunk}0\r\n\r\n`;
}

function asked(name: string, at: Target, how: string): Attack {
  return { id: `${at} ${name.slice(0, 70)} (${how.length})`, class: "benign", at, how, expected: OK };
}
