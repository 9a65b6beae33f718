/**
 * How the edge reaches endpoints.
 *
 * @module
 */
import type { Env } from "../../durable-objects/env.ts";
import type { Endpoint } from "../../shared/engine/endpoint.ts";
import { SendError } from "../../shared/forward/ports.ts";
import type { Way } from "../../shared/forward/ports.ts";
import { bindingOf } from "../runtime.ts";

const TO_WORKER: Way = { origin: null, carriesToken: true };

/**
 * Workers see the host that the caller asked for. An origin sees its own
 * name, because `fetch` takes the Host from the URL; over plain HTTP it gets
 * no token, which anybody on the way could take.
 */
export function wayTo({ address }: Endpoint): Way {
  if (address.kind !== "origin") return TO_WORKER;
  return { origin: address.url, carriesToken: address.url.startsWith("https://") };
}

/** Sends one try by the edge's own bindings, its dispatch namespace, or over the network. */
export async function send(env: Env, { address }: Endpoint, request: Request): Promise<Response> {
  switch (address.kind) {
    case "binding":
      return existing(bindingOf(env, address.name)).fetch(request);
    case "dispatch":
      return existing(env.DISPATCH?.get(address.name) ?? null).fetch(request);
    case "origin":
      if (address.certificate === undefined) return fetch(request);
      // Never without the certificate: the origin would be told that nobody in particular calls.
      return existing(bindingOf(env, address.certificate)).fetch(request);
  }
}

/** A Worker, or a certificate, that the edge is not bound to: nothing was sent, so another endpoint may be tried. */
function existing(worker: Fetcher | null): Fetcher {
  if (worker === null) throw new SendError("connect-failure");
  return worker;
}
