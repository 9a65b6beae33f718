/** Calls that are to be decided about as one thing and sent as another. */
import { type Arms, type Attack, DETOUR, get, TOLD, TOLL } from "./attack.ts";

const UNSETTLED = ["400 path.noncanonical"];
const DENIED = ["403 authz.rule"];

/** `/api` and what follows is rewritten to `/v2/` and that, `/root` to `/`; `/admin` is denied. */
const REWRITTEN: readonly (readonly [target: string, expected: readonly string[]])[] = [
  ["/api/open", ["200"]],
  ["/api../admin", UNSETTLED],
  ["/api..", UNSETTLED],
  ["/api../../admin", UNSETTLED],
  ["/api%2e%2e/admin", UNSETTLED],
  ["/api..%2fadmin", ["400 path.encoded"]],
  ["/api..%3B/admin", [...UNSETTLED, "400 path.encoded"]],
  ["/api..;/admin", UNSETTLED],
  ["/api..//admin", UNSETTLED],
  ["/api./admin", UNSETTLED],
  ["/root/admin", DENIED],
  ["/rootadmin", DENIED],
  ["/root//admin", DENIED],
  ["/root./admin", UNSETTLED],
  ["/root../admin", UNSETTLED],
  ["/root%61dmin", DENIED],
  ["/root?/admin", ["200"]],
];

/** Lines in which a client says what only the mesh may, to a gateway that lets in whoever the mesh says it of. */
const TELLING = [
  `X-Forwarded-Client-Cert: ${TOLD}`,
  `X-Forwarded-For: ${TOLD}`,
  `X-Real-IP: ${TOLD}`,
  `Client-Cert: ${TOLD}`,
  `X-Selvedge-Peer-Of: ${TOLD}`,
];

export function detourAttacks(arms: Arms): Attack[] {
  return [
    ...REWRITTEN.map(([target, expected]) =>
      attack(`rewritten ${target}`, get(target, [`Host: ${DETOUR}`]), expected),
    ),
    ...TELLING.map((line) =>
      attack(`to a gateway ${line}`, get("/", [`Host: ${TOLL}`, line]), ["403 authz.default_deny"]),
    ),
    ...["", `X-Selvedge-Peer: ${arms.strangerOfKeep}`].map((proof) => ({
      ...attack(
        `to a library ${proof.slice(0, 15)}`,
        get("/open", ["Host: keep", ...(proof === "" ? [] : [proof]), `X-Forwarded-Client-Cert: ${TOLD}`]),
        proof === "" ? ["401 authn.missing"] : ["403 authz.default_deny"],
      ),
      at: "library" as const,
    })),
  ];
}

function attack(name: string, how: string, expected: readonly string[]): Attack {
  return { id: `detour ${name}`, class: "detours", at: "edge", how, expected };
}
