import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Client, type WatchEvent, type ZnodeEvent } from "zoowarden";
import { Ensemble } from "zoowarden/testing";
import { until, watchesOf, within } from "./harness.js";

describe("watches", () => {
  let ensemble: Ensemble;
  let client: Client;

  before(async () => {
    ensemble = await Ensemble.start();
    client = await ensemble.client().connect();
  });
  after(async () => {
    await client.close();
    await ensemble.close();
  });

  it("are iterated, and tell what happened, where and by which change", async () => {
    await client.create("/w");
    const watch = client.watch("/w");
    await watch.ready();
    const { mzxid } = await client.set("/w", "1");
    await client.create("/w/x");
    await client.delete("/w/x");
    await client.delete("/w");
    const events: WatchEvent[] = [];
    for await (const event of watch) {
      events.push(event);
      if (event.type === "deleted") {
        break;
      }
    }
    assert.deepEqual(
      events.map((event) => event.type),
      ["dataChanged", "childrenChanged", "childrenChanged", "deleted"],
    );
    assert.deepEqual(events[0], { type: "dataChanged", path: "/w", zxid: mzxid });
  });

  it("that are recursive hear of everything below", async () => {
    await using watch = client.watch("/tree", { recursive: true });
    await client.create("/tree");
    await client.create("/tree/a");
    await client.create("/tree/a/b");
    const paths: string[] = [];
    for (let i = 0; i < 3; i += 1) {
      const { value } = await within("an event", watch.next());
      assert.equal(value?.type, "created");
      paths.push((value as ZnodeEvent).path);
    }
    assert.deepEqual(paths, ["/tree", "/tree/a", "/tree/a/b"]);
  });

  it("that are left are removed on the server", async () => {
    await client.create("/left");
    const before = watchesOf(client);
    for await (const event of await startedBySet("/left")) {
      assert.equal(event.type, "dataChanged");
      break;
    }
    await until("the watch to be removed", () => watchesOf(client) === before);
    const closed = await client.watch("/left").ready();
    closed.close();
    closed.close();
    assert.deepEqual(await closed.next(), { done: true, value: undefined });
    assert.equal(watchesOf(client), before);
  });

  async function startedBySet(path: string): Promise<AsyncIterable<WatchEvent>> {
    const watch = await client.watch(path).ready();
    await client.set(path, "x");
    return watch;
  }

  it("drop what their reader does not take, and say how much", async () => {
    await client.create("/slow");
    const watch = await client.watch("/slow", { limit: 3 }).ready();
    const last = await Promise.all(Array.from({ length: 10 }, () => client.set("/slow", "x")));
    await client.sync("/slow");
    const events: WatchEvent[] = [];
    while (events.at(-1)?.type !== "overflow") {
      const { value } = await within("an event", watch.next());
      assert.ok(value);
      events.push(value);
    }
    const dropped = events.at(-1);
    assert.equal(events.length, 4);
    assert.equal(dropped?.type === "overflow" && dropped.dropped, last.length - 3);
    await client.set("/slow", "later");
    assert.equal((await within("an event", watch.next())).value?.type, "dataChanged");
    watch.close();
  });

  it("end with the reason of their signal", async () => {
    const giveUp = new AbortController();
    const watch = client.watch("/", { signal: giveUp.signal });
    const next = watch.next();
    giveUp.abort(new Error("enough"));
    await assert.rejects(next, /enough/);
    assert.deepEqual(await watch.next(), { done: true, value: undefined });
    assert.throws(() => client.watch("/", { signal: giveUp.signal }), /enough/);
  });

  it("that the server refuses say so once, and end", async () => {
    const watch = client.watch("relative");
    await assert.rejects(watch.ready(), { code: "BAD_ARGUMENTS", path: "relative" });
    await assert.rejects(client.watch("relative").next(), { code: "BAD_ARGUMENTS" });
  });

  it("tell of a lost connection and go on after it", async () => {
    await using other = await ensemble.client().connect();
    await client.create("/lossy", "0");
    const watch = await other.watch("/lossy").ready();
    ensemble.cutClient(1);
    await until("the loss", () => other.state === "suspended");
    ensemble.healClient(1);
    await other.connect();
    await until("the connection", () => client.state === "connected");
    await client.set("/lossy", "1");
    const types: string[] = [];
    for await (const event of watch) {
      types.push(event.type === "state" ? event.state : event.type);
      if (event.type === "dataChanged") {
        break;
      }
    }
    assert.deepEqual(types, ["suspended", "connected", "dataChanged"]);
  });

  it("of an expired session end, after saying so", async () => {
    await using other = await ensemble.client().connect();
    const watch = await other.watch("/").ready();
    await ensemble.expireSession(other);
    const types: string[] = [];
    for await (const event of watch) {
      types.push(event.type === "state" ? event.state : event.type);
    }
    assert.equal(types.at(-1), "expired");
  });

  it("of a closed client end", async () => {
    const other = await ensemble.client().connect();
    const watch = await other.watch("/").ready();
    const rest = (async () => {
      for await (const event of watch) {
        assert.equal(event.type, "state");
      }
    })();
    await other.close();
    await within("the end of the iteration", rest);
  });
});

describe("watches of reads", () => {
  let ensemble: Ensemble;
  let client: Client;

  before(async () => {
    ensemble = await Ensemble.start();
    client = await ensemble.client().connect();
  });
  after(async () => {
    await client.close();
    await ensemble.close();
  });

  it("call back once, for what was read", async () => {
    const events: [string, unknown][] = [];
    const hear =
      (what: string) =>
      (event: unknown): unknown =>
        events.push([what, event]);
    assert.equal(await client.exists("/o", { watch: hear("exists") }), null);
    await client.create("/o");
    await client.get("/o", { watch: hear("data") });
    await client.getChildren("/o", { watch: hear("children") });
    const { mzxid } = await client.set("/o", "1");
    await client.set("/o", "2");
    await client.create("/o/x");
    await client.create("/o/y");
    await until("three events", () => events.length === 3);
    assert.deepEqual(
      events.map(([what, event]) => [what, (event as ZnodeEvent).type]),
      [
        ["exists", "created"],
        ["data", "dataChanged"],
        ["children", "childrenChanged"],
      ],
    );
    assert.deepEqual(events[1]?.[1], { type: "dataChanged", path: "/o", zxid: mzxid });
    await client.sync("/o");
    assert.equal(events.length, 3);
    assert.equal(watchesOf(client), 0);
  });

  it("call back before the reply that shows the change", async () => {
    await client.create("/ordered", "0");
    await using writer = await ensemble.client().connect();
    const writing = (async () => {
      for (let i = 0; i < 100; i += 1) {
        await writer.set("/ordered", `${i}`);
      }
      return true;
    })();
    for (let version = 0; version < 100; ) {
      let heard = false;
      const hear = (): void => {
        heard = true;
      };
      version = (await client.get("/ordered", { watch: hear })).stat.version;
      while (version < 100 && !heard) {
        const { stat } = await client.get("/ordered");
        assert.ok(stat.version === version || heard, `${stat.version} was not announced`);
      }
    }
    assert.ok(await writing);
  });

  it("are not left behind by reads that fail or are given up", async () => {
    const never = (): never => assert.fail("nothing to hear");
    const before = watchesOf(client);
    await assert.rejects(client.get("/none", { watch: never }), { code: "NO_NODE" });
    const giveUp = new AbortController();
    const reading = client.get("/", { watch: never, signal: giveUp.signal });
    giveUp.abort();
    await assert.rejects(reading, { name: "AbortError" });
    await until("no watch to be left", () => watchesOf(client) === before);
  });

  it("are not left behind by reads whose sync fails", async () => {
    const never = (): never => assert.fail("nothing to hear");
    await using other = await ensemble.client().connect();
    const { native } = other as unknown as { native: { sync(id: number, path: string): void } };
    const sync = native.sync.bind(native);
    native.sync = (id) => sync(id, "relative");
    const options = { linearizable: true, watch: never };
    for (const read of [
      () => other.get("/", options),
      () => other.getChildren("/", options),
      () => other.exists("/", options),
      () => other.exists("/none", options),
    ]) {
      await assert.rejects(read(), { code: "BAD_ARGUMENTS", path: "relative" });
      assert.equal(watchesOf(other), 0);
    }
  });

  it("hear that their session has expired", async () => {
    await using other = await ensemble.client().connect();
    const heard: unknown[] = [];
    await other.get("/", { watch: (event) => heard.push(event) });
    await ensemble.expireSession(other);
    await until("the end", () => heard.length === 1);
    assert.deepEqual(heard, [{ type: "state", state: "expired" }]);
  });
});
