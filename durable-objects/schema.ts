/**
 * Brings an object's tables to the form that its code expects.
 *
 * @module
 */

/** SQL, or what SQL alone cannot do. */
export type Migration = string | ((sql: SqlStorage) => void);

/**
 * Runs the migrations that this object has not seen yet, each at most once and
 * all or none. A migration that has shipped is never edited: add another.
 */
export function migrate(storage: DurableObjectStorage, migrations: readonly Migration[]): void {
  storage.transactionSync(() => {
    storage.sql.exec("CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY)");
    const { done } = storage.sql.exec<{ done: number }>("SELECT count(*) AS done FROM migrations").one();
    for (const [index, migration] of migrations.entries()) {
      if (index < done) continue;
      if (typeof migration === "string") storage.sql.exec(migration);
      else migration(storage.sql);
      storage.sql.exec("INSERT INTO migrations VALUES (?)", index + 1);
    }
  });
}
