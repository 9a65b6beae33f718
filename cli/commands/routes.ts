import type { Command } from "commander";
import { explanation, type Explanation } from "../../shared/wire/explain.ts";
import { renderExplanation } from "../explanation.ts";
import { EXIT, Failure } from "../failure.ts";
import type { Io } from "../io.ts";
import { collect, outputOption, parseHeader } from "../options.ts";
import { renderData } from "../output.ts";
import { openSession } from "../session.ts";

interface Options {
  readonly header?: readonly string[];
  readonly from?: string;
  readonly gateway?: string;
  readonly output: "table" | "json" | "yaml";
}

/** Adds `selvedge routes`. */
export function addRoutes(program: Command, io: Io): void {
  const routes = program.command("routes").summary("look into how requests are routed");
  routes
    .command("explain")
    .summary(
      "tell which listener, route, rule, backends and policies decide a request, and why others do not",
    )
    .argument("<method>", "GET, POST, …")
    .argument("<url>", "as a client would call it: http://host/path")
    .option("-H, --header <header>", "`name: value`; may be repeated", collect)
    .option(
      "--from <namespace/account>",
      "the workload that calls; without it, nobody in particular, from outside",
    )
    .option("--gateway <namespace/name>", "only this Gateway, as if its own address had been called")
    .addOption(outputOption(["table", "json", "yaml"]))
    .action(async (method: string, url: string, options: Options, command: Command) => {
      const { client } = openSession(command, io);
      const body = {
        method,
        url,
        headers: (options.header ?? []).map(parseHeader),
        from: options.from,
        gateway: options.gateway === undefined ? undefined : parseGateway(options.gateway),
      };
      const answer: Explanation = await client.call({
        method: "POST",
        path: "/explain",
        body,
        answer: explanation,
      });
      io.out(options.output === "table" ? renderExplanation(io, answer) : renderData(options.output, answer));
    });
}

function parseGateway(text: string): { readonly namespace: string; readonly name: string } {
  const [namespace = "", name = "", ...rest] = text.split("/");
  if (namespace === "" || name === "" || rest.length > 0)
    throw new Failure(EXIT.usage, [`"${text}" is no gateway: write namespace/name.`]);
  return { namespace, name };
}
