import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { connect, Node } from "zoowarden";
import { Ensemble } from "zoowarden/testing";
import { registered, until } from "./harness.js";

const CYCLES = 1000;
/** What is kept for later use has been made by then: threads, pools, compiled code. */
const WARM_UP = 100;
/** A thousandth of it, one cycle's share, is less than anything that could leak. */
const HEAP_GROWTH_MAX = 2 << 20;
const MEMORY_GROWTH_MAX = 64 << 20;

const NOTHING = { replies: 0, watches: 0, clients: 0, holds: 0 };

const descriptors = (): number => readdirSync("/proc/self/fd").length;
const threads = (): number => readdirSync("/proc/self/task").length;

/** Memory after everything that can be collected has been. */
function memory(): { heap: number; resident: number } {
  assert.ok(global.gc, "run with --expose-gc");
  global.gc();
  global.gc();
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed, resident: rss };
}

async function leavesNothing(cycle: () => Promise<void>): Promise<void> {
  for (let i = 0; i < WARM_UP; i += 1) {
    await cycle();
  }
  const [fds, tasks, before] = [descriptors(), threads(), memory()];
  const held = registered();
  for (let i = 0; i < CYCLES; i += 1) {
    await cycle();
  }
  assert.deepEqual(registered(), held);
  await until("descriptors to be given back", () => descriptors() <= fds);
  await until("threads to end", () => threads() <= tasks);
  const after = memory();
  const grown = { heap: after.heap - before.heap, resident: after.resident - before.resident };
  assert.ok(grown.heap < HEAP_GROWTH_MAX, `the heap grew by ${grown.heap} bytes`);
  assert.ok(grown.resident < MEMORY_GROWTH_MAX, `memory grew by ${grown.resident} bytes`);
}

describe("a thousand times", { skip: process.platform !== "linux" && "it reads /proc" }, () => {
  it("connect and close leave nothing behind", async () => {
    await using ensemble = await Ensemble.start();
    await leavesNothing(async () => {
      await using client = await connect(ensemble.connectString);
      await using watch = client.watch("/", { recursive: true });
      const [root] = await Promise.all([
        client.get("/", { watch: () => {}, signal: new AbortController().signal, timeout: 60_000 }),
        client.exists("/nothing").then((stat) => assert.equal(stat, null)),
        client.get("/nothing").catch(() => {}),
        watch.ready(),
      ]);
      assert.ok(root.stat);
    });
  });

  it("start and stop of a node leave nothing behind", async () => {
    await leavesNothing(async () => {
      await using node = await Node.start();
      await using client = await node.client().connect();
      await client.create("/a", "1");
    });
    assert.deepEqual(registered(), NOTHING);
  });
});
