/** How often a service may be called, through both hosts. */
import { expect, test } from "vitest";
import { limits, served, toldLimits } from "./documents.ts";
import { describeHosts, eventually } from "./suite.ts";
import { always, startUpstream } from "./upstream.ts";

describeHosts((suite) => {
  test.each(["Local", "Leased", "Strict"])("limits how often a caller may call (%s)", async (mode) => {
    const upstream = await startUpstream(always(200));
    const limited = suite.named(`limited-${mode.toLowerCase()}`);
    await suite.mesh.apply(
      ...served(limited, upstream.url),
      limits(limited, { mode, requests: 2, per: "1m", burst: 2, key: [{ type: "Caller" }] }),
    );

    const replies = [
      await suite.call(limited, "/"),
      await suite.call(limited, "/"),
      await suite.call(limited, "/"),
    ];

    expect(replies.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(replies[2]?.headers).toMatchObject({
      "retry-after": expect.stringMatching(/^[1-9][0-9]*$/),
      "ratelimit-policy": expect.stringContaining(";q=2;w=60"),
      ratelimit: expect.stringContaining(";r=0;t="),
    });
  });

  test("tells admitted callers of a limit where its policy says so, and refuses nobody in shadow mode", async () => {
    const many = { requests: 1_000_000, per: "1h" };
    const shadow = { requests: 1, per: "1h", shadow: true };
    await suite.mesh.apply(toldLimits("callee", many, shadow));

    const call = () => suite.call("callee", "/who");
    const first = await eventually(call, ({ headers }) => headers["ratelimit"] !== undefined);
    const second = await call();

    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.headers).toMatchObject({
      "ratelimit-policy": '"conformance/callee[0]";q=1000000;w=3600',
      ratelimit: expect.stringMatching(/^"conformance\/callee\[0\]";r=9999\d\d;t=1$/),
    });
  });
});
