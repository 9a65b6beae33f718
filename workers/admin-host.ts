/**
 * Which requests are for the admin API.
 *
 * @module
 */
import { parseHost } from "../shared/engine/host.ts";
import { authorityOf } from "../shared/forward/door.ts";

let parsed: { readonly text: string; readonly hosts: ReadonlySet<string> } = { text: "", hosts: new Set() };

/** Whether the URL's host is one of `hosts`, names separated by commas. A host that cannot be read is none. */
export function isAdminHost(url: string, hosts: string): boolean {
  if (parsed.text !== hosts) parsed = { text: hosts, hosts: parse(hosts) };
  const host = parseHost(authorityOf(url), "http");
  return host.kind === "ok" && parsed.hosts.has(host.host);
}

function parse(hosts: string): ReadonlySet<string> {
  const names = hosts.split(",").map((name) => parseHost(name.trim(), "http"));
  return new Set(names.flatMap((name) => (name.kind === "ok" ? [name.host] : [])));
}
