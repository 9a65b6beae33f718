/** Sends attacks over sockets and reads what came of them. */
import { connect } from "node:net";

/** How long nothing may come back before the connection is given up. */
const SILENCE_MS = 4_000;

/** All that came back until the server closed or fell silent: a reset is an answer, too. */
export function fire(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes, "latin1"));
    let answer = "";
    socket.setEncoding("latin1");
    socket.setTimeout(SILENCE_MS, () => socket.destroy());
    socket.on("data", (chunk: string) => (answer += chunk));
    // What was answered before the server broke off counts.
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(answer));
  });
}

/** Status and the mesh's code where it refused: `400 path.encoded`. Of several answers all: `200 then 400`. */
export function verdictOf(answer: string): string {
  const answers = answer.split(/(?=HTTP\/1\.[01] \d{3} )/).map((each) => {
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(each)?.[1] ?? "no answer";
    const code = /"code":"([a-z_.]+)"/.exec(each)?.[1];
    return code === undefined ? status : `${status} ${code}`;
  });
  return answers.join(" then ");
}
