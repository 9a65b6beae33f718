import { once } from "node:events";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { startRuntime, type Runtime, type RuntimeOptions } from "../../cli/dev/runtime.ts";
import { rawHttp } from "./raw-http.ts";
import { stateDir } from "./state-dir.ts";

const FRONT = { configPath: fileURLToPath(new URL("fixtures/front/wrangler.toml", import.meta.url)) };
const BACK = { configPath: fileURLToPath(new URL("fixtures/back/wrangler.toml", import.meta.url)) };
const SHARING = { configPath: fileURLToPath(new URL("fixtures/sharing/wrangler.toml", import.meta.url)) };
const CALLING = { configPath: fileURLToPath(new URL("fixtures/calling/wrangler.toml", import.meta.url)) };
const NAMED = { service: "back", entrypoint: "Named" };

async function start(options: Partial<RuntimeOptions>): Promise<Runtime> {
  const runtime = await startRuntime({
    workers: [FRONT, BACK],
    main: "front",
    stateDir: stateDir(),
    ...options,
  });
  onTestFinished(() => runtime.stop());
  return runtime;
}

test("runs Workers with their vars, bindings, entrypoints, props and objects", async () => {
  const runtime = await start({ workers: [{ ...FRONT, vars: { ADDED: "added" } }, BACK] });

  const response = await fetch(`${runtime.url}/a`);

  expect(await response.json()).toEqual({
    url: `${runtime.url}/a`,
    vars: ['said "hi"\n\\x41 ü\u0001', { calls: 3 }, "added"],
    back: { props: { name: "front" }, count: 1 },
  });
});

test("hands over path and Host as the client sent them", async () => {
  const runtime = await start({});

  const answer = await rawHttp(
    runtime.port,
    "GET /a/../b//%2e HTTP/1.1\r\nHost: Some.Host\r\nConnection: close\r\n\r\n",
  );

  expect(answer).toContain('"url":"http://Some.Host/a/../b//%2e"');
});

test("opens further sockets to other Workers", async () => {
  const runtime = await start({ sockets: { side: { service: "back" } } });

  const response = await fetch(runtime.socket("side").url);

  expect(await response.text()).toBe("back");
});

test("adds service bindings", async () => {
  const runtime = await start({
    workers: [
      { ...FRONT, services: { BACK: { service: "back", entrypoint: "Named", props: { a: 1 } } } },
      BACK,
    ],
  });

  const response = await fetch(runtime.url);

  expect(await response.json()).toMatchObject({ back: { props: { a: 1 } } });
});

test("binds servers outside of the runtime, which see path and Host as the client sent them", async () => {
  const server = createServer((request, response) => {
    response.end(JSON.stringify({ url: request.url, host: request.headers.host }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  const runtime = await start({
    workers: [{ ...FRONT, services: { BACK: { external: `127.0.0.1:${port}` } } }],
  });

  const answer = await rawHttp(
    runtime.port,
    "GET /a?b=%2f HTTP/1.1\r\nHost: some.host:8080\r\nConnection: close\r\n\r\n",
  );

  expect(answer).toContain('"back":{"url":"/a?b=%2f","host":"some.host:8080"}');
});

test("shares a Worker's objects with another that names it", async () => {
  const runtime = await start({ workers: [SHARING, BACK], main: "sharing", sockets: { own: NAMED } });

  const shared = await (await fetch(runtime.url)).json();

  expect(shared).toBe(1);
  expect(await (await fetch(runtime.socket("own").url)).json()).toMatchObject({ count: 2 });
});

test("calls methods of a Worker in another runtime, over a socket of it", async () => {
  const back = await start({ workers: [BACK], main: "back", sockets: { named: NAMED } });
  const external = `127.0.0.1:${back.socket("named").port}`;

  const calling = await start({
    workers: [{ ...CALLING, services: { BACK: { external } } }],
    main: "calling",
  });

  expect(await (await fetch(calling.url)).json()).toBe(1);
});

test("keeps objects on disk over a crash", async () => {
  const directory = stateDir();
  const first = await start({ stateDir: directory });
  await (await fetch(first.url)).text();
  first.kill();
  expect(await first.exited).toBe(128 + 9);

  const second = await start({ stateDir: directory });

  expect(await (await fetch(second.url)).json()).toMatchObject({ back: { count: 2 } });
});

test("ends at a stop", async () => {
  const runtime = await start({});

  await runtime.stop();

  await expect(fetch(runtime.url)).rejects.toThrow("fetch failed");
});

test("refuses a state directory that another runtime uses", async () => {
  const directory = stateDir();
  const { pid } = await start({ stateDir: directory });

  await expect(start({ stateDir: directory })).rejects.toThrow(
    `process ${pid}, a workerd, already runs with the state in ${directory}`,
  );
});

test("says which port is taken", async () => {
  const { port } = await start({});

  await expect(start({ port, output: () => {} })).rejects.toThrow(
    `127.0.0.1:${port} is taken: stop what listens there, or choose another port`,
  );
});

test("names a binding to a Worker that is not started", async () => {
  await expect(start({ workers: [FRONT] })).rejects.toThrow(
    'front: services binding BACK names the Worker "back", which is not among those started: front',
  );
});

test("names objects of a Worker that is not started", async () => {
  await expect(start({ workers: [SHARING], main: "sharing" })).rejects.toThrow(
    'sharing: durable_objects binding COUNTER names the Worker "back", which is not among those started: sharing',
  );
});

test("shows what workerd said when a Worker fails to start", async () => {
  const main = fileURLToPath(new URL("fixtures/broken.js", import.meta.url));

  await expect(start({ workers: [FRONT, { ...BACK, main }], output: () => {} })).rejects.toThrow(
    "broken on purpose",
  );
});
