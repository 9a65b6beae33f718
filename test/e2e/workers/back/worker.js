import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

/** Counts in SQL, so that a count outlives the process. */
export class Counter extends DurableObject {
  increment() {
    const { sql } = this.ctx.storage;
    sql.exec("CREATE TABLE IF NOT EXISTS counts (n INTEGER)");
    sql.exec("INSERT INTO counts VALUES (1)");
    return sql.exec("SELECT COUNT(*) AS n FROM counts").one().n;
  }
}

/** Answers with the caller's props and the count. */
export class Named extends WorkerEntrypoint {
  async fetch() {
    return Response.json({
      props: this.ctx.props,
      count: await this.env.COUNTER.getByName("one").increment(),
    });
  }
}

export default {
  fetch() {
    return new Response("back");
  },
};
