import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  Barrier,
  Client,
  Counter,
  DoubleBarrier,
  Election,
  Group,
  Lock,
  Queue,
  ReadWriteLock,
  Semaphore,
  TreeCache,
  ZnodeCache,
  type Contender,
  type DataAndStat,
  type Holding,
} from "zoowarden";
import { Ensemble } from "zoowarden/testing";
import { until, within } from "./harness.js";

let ensemble: Ensemble;
let a: Client;
let b: Client;

before(async () => {
  ensemble = await Ensemble.start();
  a = await ensemble.client().connect();
  b = await ensemble.client().connect();
});
after(async () => {
  await Promise.all([a.close(), b.close()]);
  await ensemble.close();
});

/** What is over when it was aborted. */
async function waits(promise: Promise<unknown>): Promise<void> {
  let isOver = false;
  void promise.then(() => {
    isOver = true;
  });
  await a.sync("/");
  await b.sync("/");
  assert.equal(isOver, false);
}

describe("a lock", () => {
  it("has one holder at a time, each with a greater token", async () => {
    const first = await new Lock(a, "/lock").acquire();
    assert.ok(first.isHeld);
    assert.equal(first.loss, undefined);
    assert.notEqual(await b.exists(first.path), null);
    assert.equal(await new Lock(b, "/lock").tryAcquire(), null);
    const second = new Lock(b, "/lock").acquire();
    await waits(second);
    await first.release();
    const holding = await within("the second's turn", second);
    assert.ok(holding.token > first.token);
    assert.equal(first.isHeld, false);
    await until("the loss to be told", () => first.signal.aborted);
    assert.equal(first.loss, "released");
    await first.release();
    await holding.release();
  });

  it("is released at the end of its block", async () => {
    {
      await using held = await new Lock(a, "/block").acquire();
      assert.ok(held.isHeld);
    }
    const again = await new Lock(b, "/block").tryAcquire();
    assert.ok(again?.isHeld);
    await again.release();
  });

  it("that is given up leaves the line", async () => {
    await using held = await new Lock(a, "/line").acquire();
    const giveUp = new AbortController();
    const waiting = new Lock(b, "/line").acquire({ signal: giveUp.signal });
    const lock = new Lock(a, "/line");
    await until("two to contend", async () => (await lock.contenders()).length === 2);
    giveUp.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    const timed = new Lock(b, "/line").acquire({ timeout: 20 });
    await assert.rejects(timed, { code: "OPERATION_TIMEOUT" });
    await until("one to be left", async () => (await lock.contenders()).length === 1);
    assert.ok(held.isHeld);
  });

  it("that comes at the moment at which it is given up is held by nobody", async () => {
    // How long an acquisition takes, as learned from those that were given up too early or too late.
    let guess = 1;
    for (let round = 0; round < 300; round += 1) {
      const giveUp = new AbortController();
      const path = `/moment${round}`;
      const acquiring = new Lock(a, path).acquire({ signal: giveUp.signal }).catch(() => null);
      const end = performance.now() + guess * (0.7 + ((round * 7) % 20) * 0.03);
      while (performance.now() < end) {
        // The event loop is busy, so that the answer does not get ahead of the signal.
      }
      giveUp.abort();
      const held = await acquiring;
      guess *= held === null ? 1.02 : 0.98;
      await held?.release();
      const next = await within("the lock to be free", new Lock(b, path).acquire());
      await next.release();
    }
  });

  it("shows who contends", async () => {
    await using _held = await new Lock(a, "/who", { identifier: "ann" }).acquire();
    const contenders = await new Lock(b, "/who").contenders();
    assert.deepEqual(
      contenders.map(({ identifier, token }) => [identifier.toString(), token]),
      [["ann", _held.token]],
    );
  });

  it("is lost with its session, and its signal says so", async () => {
    await using client = await ensemble.client({ onExpiry: "end" }).connect();
    const held = await new Lock(client, "/lost").acquire();
    const lost = new Promise((resolve) => held.signal.addEventListener("abort", resolve));
    await ensemble.expireSession(client);
    await within("the loss", lost);
    assert.equal(held.isHeld, false);
    assert.equal(held.loss, "sessionEnded");
    assert.throws(() => held.signal.throwIfAborted(), { cause: "sessionEnded" });
    await held.release();
    await assert.rejects(new Lock(client, "/lost").acquire(), { code: "SESSION_EXPIRED" });
  });

  it("is lost when somebody removes its znode", async () => {
    const held = await new Lock(a, "/removed").acquire();
    await b.delete(held.path);
    await until("the loss", () => held.loss === "removed");
  });

  it("is shared with Curator's and kazoo's names alike", async () => {
    for (const layout of ["kazoo", "curator", "curatorLatch"] as const) {
      await using _held = await new Lock(a, "/layouts", { layout }).acquire();
      assert.equal(await new Lock(b, "/layouts").tryAcquire(), null);
    }
  });

  it("refuses nonsense", async () => {
    assert.throws(() => new Lock({} as Client, "/x"), TypeError);
    assert.throws(() => new Lock(a, 7 as never), TypeError);
    assert.throws(() => new Lock(a, "/x", { layout: "other" as never }), TypeError);
    assert.throws(() => new Semaphore(a, "/x", 0), TypeError);
    await assert.rejects(new Lock(a, "relative").acquire(), { code: "BAD_ARGUMENTS" });
    const closed = await ensemble.client().connect();
    await closed.close();
    await assert.rejects(new Lock(closed, "/x").acquire(), { code: "CLOSING" });
  });
});

describe("a read-write lock", () => {
  it("lets many read, or one write", async () => {
    const readers = [
      await new ReadWriteLock(a, "/rw").read(),
      await new ReadWriteLock(b, "/rw").read(),
    ];
    assert.equal(await new ReadWriteLock(a, "/rw").tryWrite(), null);
    const writing = new ReadWriteLock(b, "/rw").write();
    await waits(writing);
    await Promise.all(readers.map((reader) => reader.release()));
    const writer = await within("the writer's turn", writing);
    assert.equal(await new ReadWriteLock(a, "/rw").tryRead(), null);
    assert.equal((await new ReadWriteLock(a, "/rw").contenders()).length, 1);
    await writer.release();
  });
});

describe("a semaphore", () => {
  it("has as many leases as it says", async () => {
    const first = await new Semaphore(a, "/sem", 2).acquire();
    const second = await new Semaphore(b, "/sem", 2).acquire();
    assert.equal(await new Semaphore(a, "/sem", 2).tryAcquire(), null);
    assert.equal((await new Semaphore(a, "/sem", 2).holders()).length, 2);
    const third = new Semaphore(a, "/sem", 2).acquire();
    await first.release();
    await (await within("a lease", third)).release();
    await second.release();
    await assert.rejects(new Semaphore(a, "/sem", 3).acquire(), { code: "BAD_ARGUMENTS" });
  });
});

describe("an election", () => {
  it("has one leader, and another when that one resigns", async () => {
    const ann = new Election(a, "/election", { identifier: "ann" });
    const bob = new Election(b, "/election", { identifier: "bob" });
    assert.equal(await ann.leader(), null);
    const leading = await ann.lead();
    assert.equal((await bob.leader())?.identifier.toString(), "ann");
    assert.equal(await bob.tryLead(), null);
    const next = bob.lead();
    await until("both to contend", async () => (await ann.contenders()).length === 2);
    await leading.release();
    await using _led = await within("bob's turn", next);
    assert.equal((await ann.leader())?.identifier.toString(), "bob");
  });
});

describe("barriers", () => {
  it("hold whoever comes while they are there", async () => {
    const barrier = new Barrier(a, "/barrier");
    assert.equal(await barrier.set(), true);
    assert.equal(await barrier.set(), false);
    const waiting = new Barrier(b, "/barrier").wait();
    await waits(waiting);
    assert.equal(await barrier.remove(), true);
    await within("the way to be free", waiting);
    assert.equal(await barrier.remove(), false);
    await barrier.wait();
  });

  it("that are double let all in together, and out together", async () => {
    const first = new DoubleBarrier(a, "/double", 2).enter();
    await waits(first);
    const second = new DoubleBarrier(b, "/double", 2).enter();
    const inside = await within("all to enter", Promise.all([first, second]));
    const leaving = inside[0].release();
    await waits(leaving);
    await within("all to leave", Promise.all([leaving, inside[1].release()]));
  });
});

describe("a counter", () => {
  it("loses no change", async () => {
    const counters = [new Counter(a, "/counter"), new Counter(b, "/counter")];
    const added = Array.from({ length: 20 }, (_, i) => counters[i % 2]?.add(i % 2 ? 1 : 2n));
    await Promise.all(added);
    assert.equal(await counters[0]?.get(), 30n);
    assert.equal(await counters[0]?.compareAndSet(30, 5), 30n);
    assert.equal(await counters[0]?.compareAndSet(30, 6), 5n);
    await counters[1]?.set(2n ** 62n);
    assert.equal(await counters[0]?.get(), 2n ** 62n);
    await assert.rejects(counters[0]!.add(2n ** 62n), { code: "BAD_ARGUMENTS" });
    await assert.rejects(counters[0]!.add(2n ** 64n), /64 bits/);
    assert.equal(await new Counter(a, "/counter32", "int32").add(-3), -3n);
    assert.deepEqual((await a.get("/counter32")).data, Buffer.from([255, 255, 255, 253]));
  });
});

describe("a queue", () => {
  it("hands each entry to one taker, in order of priority", async () => {
    const queue = new Queue(a, "/queue");
    assert.equal(await queue.tryTake(), null);
    await queue.put("late", { priority: 200 });
    await queue.put("first");
    await queue.put(Buffer.from("second"));
    assert.equal(await queue.length(), 3);
    const taken = [await queue.take(), await new Queue(b, "/queue").take(), await queue.tryTake()];
    assert.deepEqual(
      taken.map((entry) => entry?.data.toString()),
      ["first", "second", "late"],
    );
    assert.equal(taken[2]?.priority, 200);
    await assert.rejects(queue.put("x", { priority: 1000 }), { code: "BAD_ARGUMENTS" });
  });

  it("loses nothing to takers that give up", async () => {
    const queue = new Queue(a, "/patience");
    for (let round = 0; round < 30; round += 1) {
      const giveUp = new AbortController();
      const taking = queue.take({ signal: giveUp.signal }).catch(() => null);
      const put = new Queue(b, "/patience").put(`${round}`);
      setTimeout(() => giveUp.abort(), round % 5);
      await put;
      const entry = (await taking) ?? (await queue.take());
      assert.equal(entry.data.toString(), `${round}`);
    }
    await until("the queue to be empty", async () => (await queue.length()) === 0);
  });
});

describe("a group", () => {
  it("knows its members, and follows them", async () => {
    const seen: number[] = [];
    const giveUp = new AbortController();
    const following = (async () => {
      for await (const members of new Group(b, "/group").follow({ signal: giveUp.signal })) {
        seen.push(members.length);
      }
    })();
    const group = new Group(a, "/group", { identifier: "ann" });
    const membership: Holding = await group.join();
    const [member]: Contender[] = await new Group(b, "/group").members();
    assert.equal(member?.identifier.toString(), "ann");
    await until("the member to be seen", () => seen.at(-1) === 1);
    await membership.release();
    await until("the end to be seen", () => seen.at(-1) === 0);
    giveUp.abort();
    await assert.rejects(within("the end", following), { name: "AbortError" });
  });
});

describe("caches", () => {
  it("follow a znode, there or not", async () => {
    await using cache = await ZnodeCache.start(a, "/cached");
    assert.equal(cache.current, null);
    const seen: (string | undefined)[] = [];
    const following = (async () => {
      for await (const znode of cache.follow()) {
        seen.push((znode as DataAndStat | null)?.data.toString());
      }
    })();
    const { stat } = await b.create("/cached", "1");
    await until("the znode", () => cache.current !== null);
    assert.deepEqual(cache.current, { data: Buffer.from("1"), stat });
    await b.set("/cached", "2");
    await until("the change", () => seen.at(-1) === "2");
    await b.delete("/cached");
    await until("the end", () => cache.current === null && seen.at(-1) === undefined);
    cache.close();
    await within("the end of the iteration", following);
  });

  it("follow a tree", async () => {
    await b.create("/tree/a", "1", { parents: true });
    await using cache = await TreeCache.start(a, "/tree");
    assert.equal(cache.size, 2);
    assert.deepEqual(cache.children("/tree"), ["a"]);
    assert.equal(cache.get("/tree/a")?.data.toString(), "1");
    assert.equal(cache.get("/tree/none"), null);
    const changes = cache.changes();
    await b.create("/tree/b", "2");
    const added = await within("a change", changes.next());
    assert.ok(!added.done && added.value.type === "added");
    assert.equal(added.value.path, "/tree/b");
    assert.equal(added.value.znode.data.toString(), "2");
    await b.delete("/tree/b");
    const removed = await within("a change", changes.next());
    assert.deepEqual(removed.value, { type: "removed", path: "/tree/b" });
    cache.close();
    assert.deepEqual(await changes.next(), { done: true, value: undefined });
  });

  it("say why they cannot follow", async () => {
    await assert.rejects(ZnodeCache.start(a, "relative"), { code: "BAD_ARGUMENTS" });
    await assert.rejects(TreeCache.start(a, "relative"), { code: "BAD_ARGUMENTS" });
  });
});
