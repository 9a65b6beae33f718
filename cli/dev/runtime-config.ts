/**
 * The configuration of workerd as Cap'n Proto text: several Workers in one
 * process, their objects on disk, sockets in front of some of them.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { cannotStart } from "./cannot-start.ts";
import type {
  BindingTarget,
  CertificateTarget,
  ClientCertificate,
  ExternalTarget,
  ObjectTarget,
  ServiceTarget,
  WorkerConfig,
} from "./worker-config.ts";

/** A Worker with the path of its bundle, relative to the configuration file. */
export interface BundledWorker {
  readonly config: WorkerConfig;
  readonly bundle: string;
}

export interface RuntimeSocket {
  readonly name: string;
  /** `host:port`; port 0 takes a free one. */
  readonly address: string;
  readonly target: ServiceTarget;
  /** Whether other runtimes may call the target's methods through it. Off for sockets that strangers reach. */
  readonly carriesRpc: boolean;
}

/** What stands behind the KV bindings of the others. */
export const KV_WORKER: WorkerConfig = {
  name: "local-kv",
  main: fileURLToPath(new URL("../../workers/local-kv.ts", import.meta.url)),
  compatibilityDate: "2026-10-01",
  compatibilityFlags: [],
  vars: {},
  services: {},
  objectBindings: { NAMESPACE: { service: "local-kv", className: "KvObject" } },
  objectClasses: [{ className: "KvObject", hasSql: true }],
  kvNamespaces: {},
};

/** Prefixes the names of Workers, so that none is taken for a built-in service such as `internet`. */
const WORKER = "worker:";
const EXTERNAL = "external:";
const CERTIFICATE = "certificate:";
const OBJECTS = "objects";

/** The host of a CONNECT request that turns a connection between two runtimes into one for RPC. */
const RPC = `capnpConnectHost = "rpc.invalid:1"`;

/** All Workers by name. */
type Workers = ReadonlyMap<string, WorkerConfig>;

/** Writes the whole configuration. Objects are kept in `objectsDir`, an absolute path. */
export function runtimeConfig(
  workers: readonly BundledWorker[],
  sockets: readonly RuntimeSocket[],
  objectsDir: string,
): string {
  const names: Workers = new Map(workers.map(({ config }) => [config.name, config]));
  const services = [
    // Endpoints of the local mesh are on loopback and private networks.
    `(name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true)))`,
    `(name = "${OBJECTS}", disk = (path = ${text(objectsDir)}, writable = true))`,
    ...workers.map((worker) => workerService(worker, names)),
    ...externalServices(workers),
    ...workers.flatMap(certificateServices),
  ];
  return [
    `using Workerd = import "/workerd/workerd.capnp";`,
    `const config :Workerd.Config = (`,
    `  services = ${list(services)},`,
    `  sockets = ${list(sockets.map((socket) => socketEntry(socket, names)))},`,
    `);`,
    "",
  ].join("\n");
}

function socketEntry({ name, address, target, carriesRpc }: RuntimeSocket, names: Workers): string {
  const service = designator(target, names, `socket ${name}`);
  const http = carriesRpc ? `(${RPC})` : "()";
  return `(name = ${text(name)}, address = ${text(address)}, http = ${http}, service = ${service})`;
}

/** One service for each address that some binding leads to. */
function externalServices(workers: readonly BundledWorker[]): string[] {
  const addresses = workers.flatMap(({ config }) =>
    Object.values(config.services).flatMap((target) => (isExternal(target) ? [target.external] : [])),
  );
  return [...new Set(addresses)].map(
    (address) =>
      `(name = ${text(EXTERNAL + address)}, external = (address = ${text(address)}, http = (style = host, ${RPC})))`,
  );
}

function isExternal(target: BindingTarget): target is ExternalTarget {
  return "external" in target;
}

/** A network of its own for each certificate, since a connection's certificate is its network's. */
function certificateServices({ config }: BundledWorker): string[] {
  return Object.entries(config.services).flatMap(([binding, target]) => {
    if (!isCertificate(target)) return [];
    const name = text(certificateName(config, binding));
    const options = tlsOptions(target.certificate);
    return [`(name = ${name}, network = (allow = ["public", "private"], tlsOptions = (${options})))`];
  });
}

function tlsOptions({ privateKey, chain, trusted = [] }: ClientCertificate): string {
  const keypair = `(privateKey = ${text(privateKey)}, certificateChain = ${text(chain)})`;
  return `keypair = ${keypair}, trustBrowserCas = true, trustedCertificates = [${trusted.map(text).join(", ")}]`;
}

function certificateName({ name }: WorkerConfig, binding: string): string {
  return `${CERTIFICATE}${name}:${binding}`;
}

function isCertificate(target: BindingTarget): target is CertificateTarget {
  return "certificate" in target;
}

function workerService({ config, bundle }: BundledWorker, names: Workers): string {
  const { name, objectClasses } = config;
  const fields = [
    `modules = [(name = "worker.js", esModule = embed ${text(bundle)})]`,
    `compatibilityDate = ${text(config.compatibilityDate)}`,
    `compatibilityFlags = [${config.compatibilityFlags.map(text).join(", ")}]`,
    `bindings = ${list(bindings(config, names))}`,
    `durableObjectNamespaces = ${list(
      objectClasses.map(
        ({ className, hasSql }) =>
          `(className = ${text(className)}, uniqueKey = ${text(`${name}-${className}`)}, enableSql = ${hasSql})`,
      ),
    )}`,
    ...(objectClasses.length > 0 ? [`durableObjectStorage = (localDisk = "${OBJECTS}")`] : []),
  ];
  return `(name = ${text(WORKER + name)}, worker = (${fields.join(", ")}))`;
}

function bindings(config: WorkerConfig, names: Workers): string[] {
  const vars = Object.entries(config.vars).map(([name, value]) =>
    typeof value === "string"
      ? `(name = ${text(name)}, text = ${text(value)})`
      : `(name = ${text(name)}, json = ${text(JSON.stringify(value))})`,
  );
  const services = Object.entries(config.services).map(([name, target]) => {
    const service = serviceOf(config, name, target, names);
    return `(name = ${text(name)}, service = ${service})`;
  });
  const objects = Object.entries(config.objectBindings).map(([name, target]) => {
    const user = `${config.name}: durable_objects binding ${name}`;
    return `(name = ${text(name)}, durableObjectNamespace = ${objectDesignator(target, names, user)})`;
  });
  const kvNamespaces = Object.entries(config.kvNamespaces).map(([name, namespace]) => {
    const target = { service: KV_WORKER.name, props: { namespace } };
    return `(name = ${text(name)}, kvNamespace = ${designator(target, names, name)})`;
  });
  return [...vars, ...services, ...objects, ...kvNamespaces];
}

function serviceOf(config: WorkerConfig, binding: string, target: BindingTarget, names: Workers): string {
  if (isExternal(target)) return `(name = ${text(EXTERNAL + target.external)})`;
  if (isCertificate(target)) return `(name = ${text(certificateName(config, binding))})`;
  return designator(target, names, `${config.name}: services binding ${binding}`);
}

function objectDesignator({ service, className }: ObjectTarget, names: Workers, user: string): string {
  const classes = existing(service, names, user).objectClasses;
  if (!classes.some((known) => known.className === className)) {
    throw cannotStart(`${user}: no migration of ${service} creates the class ${className}`);
  }
  return `(className = ${text(className)}, serviceName = ${text(WORKER + service)})`;
}

function designator(target: ServiceTarget, names: Workers, user: string): string {
  const { service, entrypoint, props } = target;
  existing(service, names, user);
  const fields = [
    `name = ${text(WORKER + service)}`,
    ...(entrypoint === undefined ? [] : [`entrypoint = ${text(entrypoint)}`]),
    ...(props === undefined ? [] : [`props = (json = ${text(JSON.stringify(props))})`]),
  ];
  return `(${fields.join(", ")})`;
}

function existing(service: string, names: Workers, user: string): WorkerConfig {
  const worker = names.get(service);
  if (worker === undefined) {
    throw cannotStart(
      `${user} names the Worker "${service}", which is not among those started: ${[...names.keys()].join(", ")}`,
    );
  }
  return worker;
}

function list(items: readonly string[]): string {
  return items.length === 0 ? "[]" : `[\n    ${items.join(",\n    ")},\n  ]`;
}

/** A Cap'n Proto text literal: its escapes are C's, not JSON's. */
function text(value: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what must be escaped
  const escaped = value.replace(/[\u0000-\u001f"\\\u007f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
  return `"${escaped}"`;
}
