import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { connect, Node } from "zoowarden";
import { Ensemble } from "zoowarden/testing";

describe("a node in this process", () => {
  it("serves clients of this process and, through its port, of others", async () => {
    await using node = await Node.start();
    assert.equal(node.connectString, `127.0.0.1:${node.port}`);
    await using inside = await node.client().connect();
    await inside.create("/here", "1");
    await using outside = await connect(node.connectString, { timeout: 20_000 });
    assert.equal((await outside.get("/here")).data.toString(), "1");
    await node.ready();
  });

  it("keeps what it acknowledged in its directory", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "zoowarden-npm-"));
    try {
      for (const version of [0, 1]) {
        await using node = await Node.start({ dataDir });
        await using client = await node.client().connect();
        if (version === 0) {
          await client.create("/kept", "0");
        }
        assert.equal((await client.set("/kept", "x")).version, version + 1);
      }
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });

  it("takes the settings of a zoo.cfg", async () => {
    const zooCfg = "dataDir=/ignored\nclientPort=1\ntickTime=100\nmaxSessionTimeout=3000\n";
    const dataDir = await mkdtemp(join(tmpdir(), "zoowarden-npm-"));
    try {
      await using node = await Node.start({ zooCfg, dataDir, clientAddress: "127.0.0.1:0" });
      await using client = await node.client({ sessionTimeout: 60_000 }).connect();
      assert.equal(client.sessionTimeout, 3000);
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });

  it("expires a session", async () => {
    await using node = await Node.start();
    await using client = await node.client({ onExpiry: "end" }).connect();
    await client.create("/e", "", { mode: "ephemeral" });
    await node.expireSession(client);
    await using other = await node.client().connect();
    assert.equal(await other.exists("/e"), null);
  });

  it("may be closed twice, and refuses what is asked afterwards", async () => {
    const node = await Node.start();
    await Promise.all([node.close(), node.close()]);
    await node.close();
    await assert.rejects(node.ready(), { code: "CLOSING" });
    await assert.rejects(node.expireSession(1n), { code: "CLOSING" });
    await using late = node.client();
    await assert.rejects(late.connect({ timeout: 50 }), { code: "OPERATION_TIMEOUT" });
  });

  it("that cannot start says why", async () => {
    await using node = await Node.start();
    const taken = Node.start({ clientAddress: node.connectString });
    await assert.rejects(taken, { code: "SYSTEM_ERROR", message: new RegExp(`${node.port}`) });
    await assert.rejects(Node.start({ clientAddress: "nowhere" }), /nowhere/);
    await assert.rejects(Node.start({ zooCfg: "tickTime=soon" }), /tickTime/);
    await assert.rejects(Node.start({ tickTime: 0 }), TypeError);
    await assert.rejects(Node.start({ dataDir: 7 as never }), TypeError);
    await assert.rejects(node.expireSession(7 as never), TypeError);
  });
});

describe("an ensemble for tests", () => {
  it("survives its leader, and takes it back", async () => {
    await using ensemble = await Ensemble.start(3);
    const leader = await ensemble.leader();
    await using client = await ensemble.client().connect();
    await client.create("/e", "1");
    await ensemble.kill(leader);
    assert.notEqual(await ensemble.leader(), leader);
    await ensemble.restart(leader);
    await assert.rejects(ensemble.restart(leader), /runs already/);
  });

  it("cuts and heals", async () => {
    await using ensemble = await Ensemble.start(3);
    const leader = await ensemble.leader();
    ensemble.isolate(leader);
    const others = [1, 2, 3].filter((server) => server !== leader);
    ensemble.cut(others[0]!, leader);
    ensemble.heal(others[0]!, leader);
    ensemble.healAll();
    assert.ok(await ensemble.leader());
    assert.throws(() => ensemble.isolate(9), /no server 9/);
  });

  it("refuses what it is asked after its end", async () => {
    const ensemble = await Ensemble.start();
    await ensemble.close();
    await ensemble.close();
    await assert.rejects(ensemble.leader(), { code: "CLOSING" });
    assert.throws(() => ensemble.healAll(), /closed/);
    await assert.rejects(Ensemble.start(99), /no server 99|1 to/);
  });
});
