import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Client, CreateMode, CREATOR_ALL_ACL, OPEN_ACL, Permission, READ_ACL } from "zoowarden";
import { Ensemble } from "zoowarden/testing";
import { until } from "./harness.js";

describe("operations", () => {
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

  it("what is created can be read, set and deleted", async () => {
    const { path, stat } = await client.create("/a", "one");
    assert.equal(path, "/a");
    assert.equal(stat.version, 0);
    assert.deepEqual(await client.get("/a"), { data: Buffer.from("one"), stat });
    const changed = await client.set("/a", Buffer.from([0, 255]), { version: 0 });
    assert.equal(changed.version, 1);
    assert.deepEqual((await client.get("/a")).data, Buffer.from([0, 255]));
    await client.delete("/a", { version: 1 });
    assert.equal(await client.exists("/a"), null);
  });

  it("a Stat has bigints for what has 64 bits, and numbers for the rest", async () => {
    const before = Date.now();
    const { stat } = await client.create("/stat", "12345", { mode: CreateMode.EPHEMERAL });
    assert.equal(stat.ephemeralOwner, client.sessionId);
    assert.equal(stat.czxid, stat.mzxid);
    assert.equal(stat.pzxid, stat.czxid);
    assert.ok(stat.czxid > 0n && stat.czxid <= client.lastZxid);
    assert.ok(Math.abs(stat.ctime - before) < 60_000, new Date(stat.ctime).toISOString());
    assert.equal(stat.mtime, stat.ctime);
    assert.deepEqual(
      [stat.version, stat.cversion, stat.aversion, stat.dataLength, stat.numChildren],
      [0, 0, 0, 5, 0],
    );
    assert.deepEqual(await client.exists("/stat"), stat);
  });

  it("large and empty values survive", async () => {
    const large = Buffer.alloc(900_000, "0123456789");
    await client.create("/large", large);
    await client.create("/empty");
    assert.ok((await client.get("/large")).data.equals(large));
    assert.equal((await client.get("/empty")).data.length, 0);
  });

  it("a value does not keep the batch it came in alive", async () => {
    await client.create("/small", "small");
    const values = await Promise.all(
      Array.from({ length: 500 }, async () => (await client.get("/small")).data),
    );
    for (const value of values) {
      assert.equal(value.toString(), "small");
      assert.ok(value.buffer.byteLength <= Buffer.poolSize, `${value.buffer.byteLength}`);
    }
  });

  it("many large values come in bounded batches", async () => {
    const value = Buffer.alloc(500_000, "x");
    await client.create("/heavy", value);
    const values = await Promise.all(
      Array.from({ length: 100 }, async () => (await client.get("/heavy")).data),
    );
    for (const data of values) {
      assert.ok(data.equals(value));
      assert.ok(data.buffer.byteLength < 8 << 20, `${data.buffer.byteLength}`);
    }
  });

  it("children are listed with the parent's Stat", async () => {
    await client.create("/parent");
    await Promise.all(["x", "y", "ü"].map((name) => client.create(`/parent/${name}`)));
    const { children, stat } = await client.getChildren("/parent");
    assert.deepEqual(children.sort(), ["x", "y", "ü"]);
    assert.equal(stat.numChildren, 3);
    assert.equal(await client.getAllChildrenNumber("/parent"), 3);
  });

  it("every create mode makes what it says", async () => {
    const created = async (mode: CreateMode, ttl?: number): Promise<string> =>
      (await client.create("/mode-", "", { mode, ttl })).path;
    assert.equal(await created(CreateMode.PERSISTENT), "/mode-");
    assert.match(await created(CreateMode.PERSISTENT_SEQUENTIAL), /^\/mode-\d{10}$/);
    const sequential = await created(CreateMode.EPHEMERAL_SEQUENTIAL);
    assert.match(sequential, /^\/mode-\d{10}$/);
    assert.ok((await client.getEphemerals("/mode-")).includes(sequential));
    await client.delete("/mode-");
    assert.equal(await created(CreateMode.CONTAINER), "/mode-");
    await client.delete("/mode-");
    assert.equal(await created(CreateMode.EPHEMERAL), "/mode-");
  });

  it("parents are made on demand, and trees deleted", async () => {
    await client.create("/deep/er/still", "x", { parents: true });
    assert.equal((await client.get("/deep/er/still")).data.toString(), "x");
    await client.mkdirp("/deep/er/and/wider");
    await client.mkdirp("/deep/er/and/wider");
    assert.equal(await client.deleteRecursive("/deep"), 5);
    assert.equal(await client.exists("/deep"), null);
  });

  it("ACLs are read and written", async () => {
    await client.create("/acl", "", { acl: READ_ACL });
    const { acl, stat } = await client.getAcl("/acl");
    assert.deepEqual(acl, [{ perms: Permission.READ, scheme: "world", id: "anyone" }]);
    assert.equal(stat.aversion, 0);
    await assert.rejects(client.set("/acl", "no"), { code: "NO_AUTH", path: "/acl" });
    await client.create("/acl2");
    assert.equal((await client.setAcl("/acl2", OPEN_ACL, { version: 0 })).aversion, 1);
    await assert.rejects(client.setAcl("/acl2", [], {}), { code: "INVALID_ACL" });
  });

  it("an identity opens what it owns", async () => {
    await using other = await ensemble.client().connect();
    await other.addAuth("digest", "ann:secret");
    assert.ok((await other.whoAmI()).some(({ scheme }) => scheme === "digest"));
    await other.create("/owned", "mine", { acl: CREATOR_ALL_ACL });
    await assert.rejects(client.get("/owned"), { code: "NO_AUTH" });
    await using third = await ensemble
      .client({ auth: [{ scheme: "digest", auth: "ann:secret" }] })
      .connect();
    assert.equal((await third.get("/owned")).data.toString(), "mine");
  });

  it("a transaction happens as a whole", async () => {
    const outcomes = await client
      .transaction()
      .create("/t", "1")
      .set("/t", "2", { version: 0 })
      .create("/t/x")
      .check("/t", { version: 1 })
      .delete("/t/x")
      .commit();
    assert.deepEqual(
      outcomes.map(({ type }) => type),
      ["created", "set", "created", "checked", "deleted"],
    );
    assert.ok(outcomes[0]?.type === "created" && outcomes[0].path === "/t");
    assert.ok(outcomes[1]?.type === "set" && outcomes[1].stat.version === 1);
    assert.deepEqual(await client.multi([]), []);
  });

  it("a transaction that fails tells which operation, and changes nothing", async () => {
    const failing = client.multi([
      { type: "create", path: "/u" },
      { type: "check", path: "/nowhere" },
      { type: "delete", path: "/" },
    ]);
    await assert.rejects(failing, {
      code: "NO_NODE",
      index: 1,
      path: "/nowhere",
      nothingChanged: true,
    });
    assert.equal(await client.exists("/u"), null);
  });

  it("a linearizable read sees what another client has written", async () => {
    await using writer = await ensemble.client().connect();
    await writer.create("/fresh", "0");
    for (let i = 1; i <= 20; i += 1) {
      await writer.set("/fresh", `${i}`);
      const { data } = await client.get("/fresh", { linearizable: true });
      assert.equal(data.toString(), `${i}`);
    }
    await client.sync("/fresh");
    assert.notEqual(await client.exists("/fresh", { linearizable: true }), null);
    assert.equal((await client.getChildren("/fresh", { linearizable: true })).children.length, 0);
  });

  it("pipelined requests are answered in their order", async () => {
    await client.create("/order", "");
    const order: number[] = [];
    const writes = Array.from({ length: 200 }, async (_, i) => {
      await client.set("/order", `${i}`);
      order.push(i);
    });
    await Promise.all(writes);
    assert.deepEqual(order, [...order].sort((a, b) => a - b));
    assert.equal((await client.get("/order")).data.toString(), "199");
  });

  it("paths are below the chroot", async () => {
    await client.create("/app");
    await using inside = new Client(`${ensemble.connectString}/app`);
    await inside.connect();
    assert.equal(inside.chroot, "/app");
    assert.equal((await inside.create("/x", "")).path, "/x");
    assert.notEqual(await client.exists("/app/x"), null);
    await assert.rejects(inside.get("/y"), { path: "/y" });
  });

  it("the session can be looked at and taken over", async () => {
    const first = await ensemble.client({ sessionTimeout: 4000 }).connect();
    assert.equal(first.sessionTimeout, 4000);
    assert.equal(first.sessionPassword.length, 16);
    assert.ok(first.sessionId !== 0n);
    assert.ok(first.server?.includes(":"));
    await first.create("/kept", "", { mode: CreateMode.EPHEMERAL });
    const session = { id: first.sessionId, password: first.sessionPassword };
    // Two clients with one session would take it from each other.
    first.setHosts("127.0.0.1:1");
    await until("the first to leave", () => first.state === "suspended");
    await using second = await ensemble.client({ session }).connect();
    assert.equal(second.sessionId, session.id);
    assert.deepEqual(await second.getEphemerals(), ["/kept"]);
    await first.close();
  });

  it("the configuration can be read, whatever the chroot, and changed only where that is on", async () => {
    await using inside = await new Client(`${ensemble.connectString}/app`).connect();
    const { data, stat } = await inside.getConfig();
    assert.ok(Buffer.isBuffer(data) && stat.czxid >= 0n);
    await assert.rejects(client.reconfig({ leaving: "3" }), { code: "RECONFIG_DISABLED" });
  });
});
