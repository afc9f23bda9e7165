import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect as connectTo, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { connect, Node } from "zoowarden";
import { Ensemble } from "zoowarden/testing";
import { within } from "./harness.js";

/** Whether somebody listens on a port of this machine. */
async function listens(port: number): Promise<boolean> {
  const socket = connectTo(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** A zoo.cfg of so many members, on free ports. */
async function ensembleOf(members: number): Promise<string> {
  const servers = Array.from({ length: 2 * members }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  const lines = ["dataDir=/ignored", "clientPort=2181", "initLimit=5", "syncLimit=5"];
  for (let member = 1; member <= members; member += 1) {
    const [quorum, election] = ports.slice(2 * member - 2);
    lines.push(`server.${member}=127.0.0.1:${quorum}:${election}`);
  }
  return lines.join("\n");
}

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

  it("ends, when it is closed, the calls that wait for it", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "zoowarden-npm-"));
    try {
      // A member without the others never serves.
      const node = await Node.start({
        zooCfg: await ensembleOf(3),
        myId: 1,
        dataDir,
        clientAddress: "127.0.0.1:0",
      });
      await assert.rejects(node.ready({ timeout: 20 }), { code: "OPERATION_TIMEOUT" });
      const { port } = node;
      const calls = [node.ready(), node.expireSession(1n)];
      const ended = calls.map((call) => assert.rejects(call, { code: "CLOSING" }));
      await within("the node to close", node.close());
      await within("the calls to end", Promise.all(ended));
      assert.equal(await listens(port), false);
    } finally {
      await rm(dataDir, { recursive: true });
    }
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

  it("ends, when it is closed, the calls that wait for it", async () => {
    const ensemble = await Ensemble.start(3);
    const ports = ensemble.connectString.split(",").map((host) => Number(host.split(":")[1]));
    await Promise.all([ensemble.kill(1), ensemble.kill(2)]);
    assert.equal(await listens(ports[2]!), true);
    const waiting = assert.rejects(ensemble.leader(), { code: "CLOSING" });
    await within("the ensemble to close", ensemble.close());
    assert.equal(await listens(ports[2]!), false);
    await within("the call to end", waiting);
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
