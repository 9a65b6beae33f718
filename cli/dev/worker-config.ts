/**
 * What the local runtime needs to know of a Worker, from its `wrangler.toml`.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { type Unstable_Config, unstable_readConfig } from "wrangler";
import { cannotStart } from "./cannot-start.ts";

/** A Worker, one of its entrypoints, and the `ctx.props` that its callers come with. */
export interface ServiceTarget {
  /** The Worker's `name` in its `wrangler.toml`. */
  readonly service: string;
  /** A named export; the default export unless given. */
  readonly entrypoint?: string;
  readonly props?: Readonly<Record<string, unknown>>;
}

/**
 * A server outside of the runtime that a binding leads to, as `host:port`. It sees Host and path as they were sent.
 * If it is a socket of another runtime, the binding carries RPC as well.
 */
export interface ExternalTarget {
  readonly external: string;
}

/** Any server, reached with a client certificate: what `mtls_certificates` is on the platform. */
export interface CertificateTarget {
  readonly certificate: ClientCertificate;
}

/** PEM, all of it. */
export interface ClientCertificate {
  readonly privateKey: string;
  /** The leaf first. */
  readonly chain: string;
  /** Authorities of servers to trust besides those that browsers do. */
  readonly trusted?: readonly string[];
}

export type BindingTarget = ServiceTarget | ExternalTarget | CertificateTarget;

/** A Worker to start: its configuration file, and what to change in it. */
export interface WorkerSource {
  readonly configPath: string;
  /** The main module instead of the file's `main`: for a Worker wrapped by a test. */
  readonly main?: string;
  /** Added to the file's `vars`, and winning over them. */
  readonly vars?: Readonly<Record<string, string>>;
  /** Service bindings by name, added to the file's and winning over them. */
  readonly services?: Readonly<Record<string, BindingTarget>>;
}

/** An object class that a binding leads to. */
export interface ObjectTarget {
  readonly className: string;
  /** The Worker that has it (`script_name`). */
  readonly service: string;
}

export interface DurableObjectClass {
  readonly className: string;
  readonly hasSql: boolean;
}

/** A Worker as the runtime runs it, checked. */
export interface WorkerConfig {
  readonly name: string;
  /** Absolute path of the main module, not yet bundled. */
  readonly main: string;
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  readonly vars: Readonly<Record<string, unknown>>;
  readonly services: Readonly<Record<string, BindingTarget>>;
  /** Bindings to object classes, by name. */
  readonly objectBindings: Readonly<Record<string, ObjectTarget>>;
  readonly objectClasses: readonly DurableObjectClass[];
  /** KV bindings: binding name → namespace. */
  readonly kvNamespaces: Readonly<Record<string, string>>;
}

/** Reads one `wrangler.toml`. Throws a `Failure` when it asks for something that the local runtime lacks. */
export function readWorkerConfig(source: WorkerSource): WorkerConfig {
  const { configPath } = source;
  if (!existsSync(configPath)) throw cannotStart(`there is no file ${configPath}`);
  const config = unstable_readConfig({ config: configPath });
  refuseUnknown(config, configPath);
  const name = required(config.name, "name", configPath);
  return {
    name,
    main: source.main ?? required(config.main, "main", configPath),
    compatibilityDate: required(config.compatibility_date, "compatibility_date", configPath),
    compatibilityFlags: config.compatibility_flags,
    vars: { ...config.vars, ...source.vars },
    services: { ...servicesOf(config), ...source.services },
    objectBindings: objectBindingsOf(config, name),
    objectClasses: objectClassesOf(config, configPath),
    kvNamespaces: kvNamespacesOf(config),
  };
}

function required(value: string | undefined, key: string, configPath: string): string {
  if (value === undefined) throw cannotStart(`${configPath} has no ${key}`);
  return value;
}

function servicesOf(config: Unstable_Config): Record<string, ServiceTarget> {
  const entries = (config.services ?? []).map(({ binding, service, entrypoint, props }) => [
    binding,
    { service, ...(entrypoint !== undefined && { entrypoint }), ...(props !== undefined && { props }) },
  ]);
  return Object.fromEntries(entries);
}

function objectBindingsOf(config: Unstable_Config, own: string): Record<string, ObjectTarget> {
  return Object.fromEntries(
    config.durable_objects.bindings.map(({ name, class_name, script_name }) => [
      name,
      { className: class_name, service: script_name ?? own },
    ]),
  );
}

/** A namespace without an id, which a deploy would make, is one of the Worker's own. */
function kvNamespacesOf(config: Unstable_Config): Record<string, string> {
  const entries = config.kv_namespaces.map(({ binding, id }) => [binding, id ?? `${config.name} ${binding}`]);
  return Object.fromEntries(entries);
}

/** The classes that exist after all migrations, in the order in which they were made. */
function objectClassesOf(config: Unstable_Config, configPath: string): DurableObjectClass[] {
  const classes = new Map<string, boolean>();
  for (const migration of config.migrations) {
    if (migration.renamed_classes !== undefined || migration.deleted_classes !== undefined) {
      throw cannotStart(
        `${configPath}: migration ${migration.tag}: renamed_classes and deleted_classes are not supported locally`,
      );
    }
    for (const name of migration.new_classes ?? []) classes.set(name, false);
    for (const name of migration.new_sqlite_classes ?? []) classes.set(name, true);
  }
  return [...classes].map(([className, hasSql]) => ({ className, hasSql }));
}

/** What is used here, and what only a deploy or wrangler itself makes use of. */
const KNOWN_KEYS: ReadonlySet<string> = new Set(
  (
    "configPath userConfigPath topLevelName definedEnvironments dev " +
    "name main compatibility_date compatibility_flags vars services durable_objects migrations kv_namespaces " +
    "account_id route routes workers_dev preview_urls triggers send_metrics placement limits logpush " +
    "observability minify keep_names upload_source_maps rules jsx_factory jsx_fragment build python_modules"
  ).split(" "),
);

/** A binding that silently is not there would fail much later, at its first use. */
function refuseUnknown(config: Unstable_Config, configPath: string): void {
  const unknown = Object.entries(config)
    .filter(([key, value]) => !KNOWN_KEYS.has(key) && !isEmpty(value))
    .map(([key]) => key);
  if (unknown.length > 0) {
    throw cannotStart(`${configPath}: not supported by the local runtime: ${unknown.join(", ")}`);
  }
}

/** Whether a value is one of the empty defaults that wrangler fills in, at any depth. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true;
  return typeof value === "object" && Object.values(value).every(isEmpty);
}
