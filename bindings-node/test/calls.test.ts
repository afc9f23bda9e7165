import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Client, connect, ZkError } from "zoowarden";
import { Ensemble } from "zoowarden/testing";
import { until, within } from "./harness.js";

describe("calls that are given up", () => {
  let ensemble: Ensemble;
  let client: Client;
  let stuck: Client;

  before(async () => {
    ensemble = await Ensemble.start();
    client = await ensemble.client().connect();
    // Nobody listens on port 1, so requests wait.
    stuck = new Client("127.0.0.1:1");
  });
  after(async () => {
    await stuck.close();
    await client.close();
    await ensemble.close();
  });

  it("reject with the signal's reason, before and while they wait", async () => {
    const reason = new Error("changed my mind");
    await assert.rejects(client.get("/", { signal: AbortSignal.abort(reason) }), reason);
    const giveUp = new AbortController();
    const waiting = stuck.get("/", { signal: giveUp.signal });
    await turn();
    giveUp.abort(reason);
    await assert.rejects(waiting, reason);
  });

  it("that were aborted before they were sent have not happened", async () => {
    const aborted = client.create("/never", "", { signal: AbortSignal.abort() });
    await assert.rejects(aborted, { name: "AbortError" });
    assert.equal(await client.exists("/never"), null);
  });

  it("reject with OPERATION_TIMEOUT after their timeout", async () => {
    await assert.rejects(stuck.get("/", { timeout: 20 }), (error: ZkError) => {
      assert.equal(error.code, "OPERATION_TIMEOUT");
      assert.match(error.message, /20 ms/);
      return true;
    });
  });

  it("do not disturb those that follow", async () => {
    const giveUp = new AbortController();
    const reads = Array.from({ length: 100 }, (_, i) =>
      client.get("/", i % 2 === 0 ? { signal: giveUp.signal } : {}),
    );
    giveUp.abort();
    const settled = await Promise.allSettled(reads);
    settled.forEach(({ status }, i) => assert.equal(status, i % 2 ? "fulfilled" : "rejected"));
    assert.ok((await client.get("/")).stat);
  });

  it("share a signal in any number, without a warning", async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): number => warnings.push(warning);
    process.on("warning", onWarning);
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 500 }, () => client.get("/", { signal })));
    await turn();
    process.off("warning", onWarning);
    assert.deepEqual(warnings, []);
  });

  it("leave nothing on the signal when they are done", async () => {
    const signal = new AbortController().signal;
    let listeners = 0;
    const count = (name: "addEventListener" | "removeEventListener", by: number): void => {
      const original = signal[name].bind(signal) as (...args: unknown[]) => void;
      Object.assign(signal, {
        [name]: (...args: unknown[]) => {
          listeners += by;
          original(...args);
        },
      });
    };
    count("addEventListener", 1);
    count("removeEventListener", -1);
    await Promise.all(Array.from({ length: 20 }, () => client.get("/", { signal })));
    assert.equal(listeners, 0);
  });

  it("of connect say where it could not connect to", async () => {
    const failing = connect("127.0.0.1:1", { timeout: 50 });
    await assert.rejects(failing, (error: ZkError) => {
      assert.equal(error.code, "OPERATION_TIMEOUT");
      assert.equal(error.nothingChanged, true);
      assert.match(error.message, /not connected to 127\.0\.0\.1:1 within 50 ms/);
      return true;
    });
  });
});

describe("a client that is closed", () => {
  let ensemble: Ensemble;
  before(async () => {
    ensemble = await Ensemble.start();
  });
  after(() => ensemble.close());

  it("refuses every call with CLOSING", async () => {
    const client = await ensemble.client().connect();
    await client.close();
    assert.equal(client.state, "closed");
    const calls: (() => Promise<unknown>)[] = [
      () => client.get("/"),
      () => client.create("/a"),
      () => client.create("/a/b", "", { parents: true }),
      () => client.delete("/a"),
      () => client.deleteRecursive("/a"),
      () => client.mkdirp("/a"),
      () => client.multi([{ type: "check", path: "/" }]),
      () => client.connect(),
      () => client.getConfig(),
      () => client.whoAmI(),
      () => client.watch("/").ready(),
    ];
    for (const call of calls) {
      await assert.rejects(within("a refusal", call()), { code: "CLOSING", nothingChanged: true });
    }
  });

  it("may be closed again, and while it closes", async () => {
    const client = await ensemble.client().connect();
    await Promise.all([client.close(), client.close()]);
    await client.close();
    const never = new Client("127.0.0.1:1");
    await within("the close of a client that never connected", never.close());
  });

  it("answers what was asked before", async () => {
    const client = await ensemble.client().connect();
    const reads = Array.from({ length: 50 }, () => client.get("/"));
    await client.close();
    const settled = await Promise.allSettled(reads);
    assert.ok(settled.every(({ status }) => status === "fulfilled"));
  });

  it("rejects what waits for a connection", async () => {
    const client = new Client("127.0.0.1:1");
    const waiting = Promise.allSettled([client.get("/"), client.connect(), client.mkdirp("/a")]);
    await client.close();
    for (const settled of await within("refusals", waiting)) {
      assert.equal(settled.status === "rejected" && settled.reason.code, "CLOSING");
    }
  });

  it("is what await using leaves", async () => {
    let left: Client;
    {
      await using client = await connect(ensemble.connectString, { timeout: 20_000 });
      await client.create("/used", "", { mode: "ephemeral" });
      left = client;
    }
    assert.equal(left.state, "closed");
    await using other = await ensemble.client().connect();
    assert.equal(await other.exists("/used"), null);
  });
});

describe("a listener that throws", () => {
  it("does not stop other answers", async () => {
    await using ensemble = await Ensemble.start();
    await using client = await ensemble.client().connect();
    const caught: unknown[] = [];
    const original = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => caught.push(error));
    try {
      await client.create("/w");
      await client.get("/w", {
        watch: () => {
          throw new Error("a mistake of the listener");
        },
      });
      await client.set("/w", "x");
      assert.ok(await client.get("/w"));
      await until("the mistake to surface", () => caught.length === 1);
    } finally {
      process.removeAllListeners("uncaughtException");
      original.forEach((listener) => process.on("uncaughtException", listener));
    }
  });
});
