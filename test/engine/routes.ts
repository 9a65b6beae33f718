/**
 * Small routes and requests for tests.
 *
 * @module
 */
import type { RequestView } from "../../shared/engine/request.ts";
import type * as route from "../../shared/engine/route.ts";

export type Condition = Partial<Omit<route.RouteEntry, "action">>;

export const prefix = (value: string): route.PathMatch => ({ kind: "prefix", value });
export const exact = (value: string): route.PathMatch => ({ kind: "exact", value });
export const equal = (name: string, value: string): route.ValueMatch => ({ kind: "exact", name, value });

/** The platform's own expressions: none here takes long. */
export const compilePattern: route.CompilePattern = (source) => {
  const expression = new RegExp(`^(?:${source})$`);
  return (text) => expression.test(text);
};

/** A route set whose rule `i` is the i-th condition. */
export function setOf(conditions: readonly Condition[]): route.RouteSet {
  return {
    entries: conditions.map((condition, action) => ({
      path: prefix("/"),
      headers: [],
      query: [],
      ...condition,
      action,
    })),
    actions: conditions.map((_condition, rule) => ({
      route: "shop/r",
      rule: `${rule}`,
      filters: {},
      backends: [],
    })),
  };
}

export interface Call {
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

export function viewOf(target: string, call: Call = {}): RequestView {
  const [path = "", query = ""] = target.split("?");
  return {
    method: call.method ?? "GET",
    scheme: "http",
    authority: "a.test",
    host: "a.test",
    port: 80,
    path,
    query,
    headers: new Headers(call.headers),
  };
}
