/** Client certificates as the platform would tell of them, by a front that the mesh is behind. */
import { type Arms, type Attack, bearer, get, VAULT } from "./attack.ts";

const INVALID = ["401 authn.certificate.invalid"];
const REVOKED = ["401 authn.revoked"];
const DENIED = ["403 authz.default_deny"];
const MISSING = ["401 authn.missing"];

/** What the platform says when it could not verify, and what it might say one day. */
const FAILURES = [
  "FAILED:self signed certificate",
  "FAILED:unable to verify the first certificate",
  "FAILED:certificate is not yet valid",
  "FAILED:certificate has expired",
  "FAILED",
  "NONE",
  "",
  "success",
  "SUCCESS ",
  "SUCCESS:partial",
  "OK",
  1,
  true,
  null,
  undefined,
  ["SUCCESS"],
];

const KEEP = "spiffe://selvedge.local/ns/fort/sa/friend";

/** Names that no authority should have signed; these were, by the mesh's own. */
const NAMES: readonly (readonly string[])[] = [
  [],
  [KEEP, "spiffe://selvedge.local/ns/fort/sa/vault"],
  [KEEP, KEEP],
  [KEEP, "https://selvedge.local/"],
  ["spiffe://evil.test/ns/fort/sa/friend"],
  ["spiffe://selvedge.local.evil.test/ns/fort/sa/friend"],
  ["SPIFFE://selvedge.local/ns/fort/sa/friend"],
  ["spiffe://SELVEDGE.LOCAL/ns/fort/sa/friend"],
  ["spiffe://selvedge.local/ns/fort/sa/friend/"],
  ["spiffe://selvedge.local//ns/fort/sa/friend"],
  ["spiffe://selvedge.local/ns/mine/../fort/sa/friend"],
  ["spiffe://selvedge.local/ns/fort/sa/fr%69end"],
  ["spiffe://selvedge.local/ns/fort/sa/friend\0.evil.test"],
  ["spiffe://selvedge.local/ns/fort/sa/friend?x"],
  ["spiffe://selvedge.local/ns/fort/sa/.."],
  ["spiffe://selvedge.local"],
  ["https://selvedge.local/ns/fort/sa/friend"],
];

export async function certificateAttacks({ certificates, friend, stranger }: Arms): Promise<Attack[]> {
  const { ofFriend, ofStranger, ofFormer, ofForeigner, chain, root, sign } = certificates;
  const good = shown(ofFriend, chain);
  const odd = await Promise.all(
    NAMES.map(async (names, at) =>
      attack(
        `names ${at}`,
        shown(await sign({ names: names.map((value) => ({ type: "url", value })) }), chain),
        [],
        INVALID,
      ),
    ),
  );
  const typed = await Promise.all(
    (["dns", "email"] as const).map(async (type) =>
      attack(`an id as ${type}`, shown(await sign({ names: [{ type, value: KEEP }] }), chain), [], INVALID),
    ),
  );
  const authority = await sign({ names: [{ type: "url", value: KEEP }], isAuthority: true });
  return [
    ...FAILURES.map((certVerified) =>
      attack(
        `verdict ${String(certVerified)} (${typeof certVerified})`,
        { ...good, certVerified },
        [],
        INVALID,
      ),
    ),
    ...FAILURES.map((certVerified) =>
      attack(
        `verdict ${String(certVerified)} (${typeof certVerified}) beside a true token`,
        { ...good, certVerified },
        [bearer(friend)],
        INVALID,
      ),
    ),
    ...["1", "", "2", null, undefined, 0, false].map((certRevoked) =>
      attack(`revoked ${String(certRevoked)} (${typeof certRevoked})`, { ...good, certRevoked }, [], REVOKED),
    ),
    ...["2", "", true, 1, null].map((certPresented) =>
      attack(
        `presented ${String(certPresented)} (${typeof certPresented})`,
        { ...good, certPresented },
        [],
        INVALID,
      ),
    ),
    ...["0", undefined].map((certPresented) =>
      attack(`presented ${String(certPresented)}`, { ...good, certPresented }, [], MISSING),
    ),
    ...odd,
    ...typed,
    attack("an authority's leaf", shown(authority, chain), [], INVALID),
    attack("the intermediate as the leaf", shown(chain[0] ?? "", chain), [], INVALID),
    attack("the root as the leaf", shown(root, []), [], INVALID),
    attack("without its chain", shown(ofFriend, []), [], INVALID),
    attack("of another authority of the same name", shown(ofForeigner.leaf, ofForeigner.chain), [], INVALID),
    attack(
      "of another authority, with its root",
      shown(ofForeigner.leaf, [...ofForeigner.chain, ofForeigner.root]),
      [],
      INVALID,
    ),
    attack(
      "of another authority, with ours",
      shown(ofForeigner.leaf, [...ofForeigner.chain, ...chain, root]),
      [],
      INVALID,
    ),
    attack("too large", { ...good, certRFC9440: "", certRFC9440TooLarge: true }, [], INVALID),
    attack("in another form", { ...good, certRFC9440: ofFriend }, [], INVALID),
    attack("two at once", { ...good, certRFC9440: `:${ofStranger}:, :${ofFriend}:` }, [], INVALID),
    attack("nonsense", { ...good, certRFC9440: ":AAAA:" }, [], INVALID),
    attack(
      "a name that only the platform tells",
      { ...good, certRFC9440: undefined, certSubjectDN: `CN=${KEEP}` },
      [],
      INVALID,
    ),
    attack("of a stranger", shown(ofStranger, chain), [], DENIED),
    attack(
      "of a stranger, with the fields of a friend",
      shown(ofStranger, chain),
      ["X-Forwarded-Client-Cert: URI=spiffe://selvedge.local/ns/fort/sa/friend"],
      DENIED,
    ),
    attack(
      "of a stranger beside a friend's token",
      shown(ofStranger, chain),
      [bearer(friend)],
      ["401 authn.token.invalid"],
    ),
    attack("of a friend beside a stranger's token", good, [bearer(stranger)], ["401 authn.token.invalid"]),
    attack(
      "of a friend beside a broken token",
      good,
      ["X-Selvedge-Peer: a.b.c"],
      ["401 authn.token.invalid"],
    ),
    attack("of one who left", shown(ofFormer, chain), [], REVOKED),
  ];
}

/** What the platform says of a good certificate. */
export function shown(leaf: string, chain: readonly string[]): object {
  return {
    certPresented: "1",
    certVerified: "SUCCESS",
    certRevoked: "0",
    certRFC9440: `:${leaf}:`,
    certRFC9440TooLarge: false,
    certChainRFC9440: chain.map((each) => `:${each}:`).join(", "),
    certChainRFC9440TooLarge: false,
  };
}

/** A request for the vault over a connection of which the front tells. */
export function fronted(tlsClientAuth: object, lines: readonly string[]): string {
  const cf = Buffer.from(JSON.stringify({ colo: "FRA", tlsClientAuth })).toString("base64");
  return get("/", [`Host: ${VAULT}`, `X-Front-Cf: ${cf}`, ...lines]);
}

function attack(name: string, told: object, lines: readonly string[], expected: readonly string[]): Attack {
  return {
    id: `certificate ${name}`,
    class: "certificates",
    at: "front",
    how: fronted(told, lines),
    expected,
  };
}
