/**
 * Who is signed in: a name in a cookie. Any name and password will do, for
 * the example is about what services do with the name.
 *
 * @module
 */
const COOKIE = "user";

/** What a name may be, so that it can travel in a cookie and a header as it is. */
const NAME = /^[\w.-]{1,64}$/;

/** The signed-in user, or null. */
export function userOf(request: Request): string | null {
  for (const pair of (request.headers.get("cookie") ?? "").split(";")) {
    const [name, value] = pair.trim().split("=", 2);
    if (name === COOKIE && value !== undefined && NAME.test(value)) return value;
  }
  return null;
}

/** The header by which the services behind learn of the user, and by which routes can tell users apart. */
export function endUserHeader(user: string | null): Readonly<Record<string, string>> {
  return user === null ? {} : { "end-user": user };
}

/** Signs in with the form field `username`. */
export async function login(request: Request): Promise<Response> {
  const form = new URLSearchParams(await request.text());
  const user = form.get("username") ?? "";
  if (!NAME.test(user)) {
    return Response.json(
      { error: "a user name is 1 to 64 letters, digits, '.', '_' or '-'" },
      { status: 400 },
    );
  }
  return backToPage(`${COOKIE}=${user}; Path=/; HttpOnly; SameSite=Lax`);
}

/** Signs out. */
export function logout(): Response {
  return backToPage(`${COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`);
}

function backToPage(cookie: string): Response {
  return new Response(null, { status: 303, headers: { location: "/productpage", "set-cookie": cookie } });
}
