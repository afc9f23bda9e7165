import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Client, Lock } from "zoowarden";
import { Ensemble } from "zoowarden/testing";
import { ROOT, run, until, within } from "./harness.js";

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

/** A program that has connected to the ensemble. */
function connected(rest: string): string {
  return `
    const { connect, Client, Node } = require("./dist/index.js");
    (async () => {
      const client = await connect("${ensemble.connectString}");
      ${rest}
    })();`;
}

describe("a process", () => {
  it("ends although a client is open and idle", async () => {
    const { code, stdout } = await run(connected(`console.log("idle");`));
    assert.deepEqual([code, stdout], [0, "idle\n"]);
  });

  it("ends although a client has watches nobody waits for", async () => {
    const program = `
      await client.get("/", { watch() {} });
      const watch = await client.watch("/").ready();
      console.log("watching");`;
    const { code, stdout } = await run(connected(program));
    assert.deepEqual([code, stdout], [0, "watching\n"]);
  });

  it("waits for answers, also those that a module awaits at its top", async () => {
    const program = `
      import { connect } from "./dist/index.mjs";
      const client = await connect("${ensemble.connectString}");
      for (let i = 0; i < 20; i += 1) {
        await client.get("/");
      }
      console.log("answered");`;
    const { code, stdout, stderr } = await run(program, "module");
    assert.deepEqual([code, stdout, stderr], [0, "answered\n", ""]);
  });

  it("waits for the next event of a watch", async () => {
    await client.create("/next");
    const ending = run(
      connected(`
        const watch = await client.watch("/next").ready();
        await client.create("/next/ready");
        const { value } = await watch.next();
        console.log(value.type);`),
    );
    await until("the program to watch", () => client.exists("/next/ready"));
    const { code, stdout } = await ending;
    assert.deepEqual([code, stdout], [0, "childrenChanged\n"]);
  });

  it("is held by a client with ref() until unref()", async () => {
    const program = `
      client.ref().ref();
      setTimeout(() => { console.log("held"); client.unref(); }, 50).unref();`;
    const { code, stdout } = await run(connected(program));
    assert.deepEqual([code, stdout], [0, "held\n"]);
  });

  it("is held by a node until it is closed", async () => {
    const program = `
      const node = await Node.start();
      setTimeout(() => { console.log("held"); node.close(); }, 50).unref();`;
    const { code, stdout } = await run(connected(program));
    assert.deepEqual([code, stdout], [0, "held\n"]);
  });

  it("may leave by process.exit with everything open", async () => {
    const program = `
      await Node.start();
      client.watch("/", { recursive: true });
      for (let i = 0; i < 1000; i += 1) client.get("/").catch(() => {});
      console.log("leaving");
      process.exit(7);`;
    const { code, stdout, stderr } = await run(connected(program));
    assert.deepEqual([code, stdout, stderr], [7, "leaving\n", ""]);
  });

  it("that dies of an error shows its code, its path and where it came from", async () => {
    const { code, stderr } = await run(connected(`await client.get("/not/there");`));
    assert.equal(code, 1);
    assert.match(stderr, /ZkError: .*\/not\/there/);
    assert.match(stderr, /code: 'NO_NODE'/);
  });
});

describe("a worker thread", () => {
  function work(program: string): Worker {
    const code = `
      const { parentPort } = require("node:worker_threads");
      const { connect, Node } = require(${JSON.stringify(join(ROOT, "dist", "index.js"))});
      (async () => { ${program} })();`;
    return new Worker(code, { eval: true });
  }

  const ended = (worker: Worker): Promise<number> =>
    within(
      "the worker's end",
      new Promise((resolve, reject) => worker.on("exit", resolve).on("error", reject)),
    );

  const message = (worker: Worker): Promise<unknown> =>
    within(
      "a message",
      new Promise((resolve, reject) => worker.once("message", resolve).on("error", reject)),
    );

  it("has clients of its own, beside those of others", async () => {
    const program = `
      const client = await connect("${ensemble.connectString}");
      const reads = await Promise.all(Array.from({ length: 500 }, () => client.get("/")));
      await client.close();
      parentPort.postMessage(reads.length);`;
    const workers = Array.from({ length: 4 }, () => work(program));
    const ends = workers.map(ended);
    const counts = workers.map(message);
    const reads = Array.from({ length: 500 }, () => client.get("/"));
    assert.equal((await Promise.all(reads)).length, 500);
    assert.deepEqual(await Promise.all(counts), [500, 500, 500, 500]);
    assert.deepEqual(await Promise.all(ends), [0, 0, 0, 0]);
  });

  it("that ends closes the sessions it has left open", async () => {
    const program = `
      const client = await connect("${ensemble.connectString}", { sessionTimeout: 60_000 });
      await client.create("/of-a-worker", "", { mode: "ephemeral" });`;
    assert.equal(await ended(work(program)), 0);
    await until("the session to end", async () => !(await client.exists("/of-a-worker")));
  });

  it("that ends gives up what it was waiting for", async () => {
    await using held = await new Lock(client, "/wanted").acquire();
    const program = `
      const { Lock } = require(${JSON.stringify(join(ROOT, "dist", "index.js"))});
      const client = await connect("${ensemble.connectString}", { sessionTimeout: 60_000 });
      new Lock(client, "/wanted").acquire();
      const lock = new Lock(client, "/wanted");
      while ((await lock.contenders()).length < 2);
      parentPort.postMessage("waiting");`;
    const worker = work(program);
    assert.equal(await message(worker), "waiting");
    await worker.terminate();
    const lock = new Lock(client, "/wanted");
    await until("the worker to leave the line", async () => (await lock.contenders()).length === 1);
    assert.ok(held.isHeld);
  });

  it("may be terminated in the middle of everything", async () => {
    const program = `
      const client = await connect("${ensemble.connectString}", { sessionTimeout: 60_000 });
      await client.create("/terminated", "", { mode: "ephemeral" });
      const node = await Node.start();
      client.watch("/", { recursive: true });
      const again = () => client.set("/terminated", "x").then(again, () => {});
      for (let i = 0; i < 64; i += 1) again();
      parentPort.postMessage("busy");`;
    for (let i = 0; i < 10; i += 1) {
      const worker = work(program);
      assert.equal(await message(worker), "busy");
      assert.equal(await worker.terminate(), 1);
      await until("the session to end", async () => !(await client.exists("/terminated")));
    }
  });
});
