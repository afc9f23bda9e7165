import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Client, ERROR_CODES, ZkError } from "zoowarden";
import { Ensemble } from "zoowarden/testing";

describe("errors", () => {
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

  async function failureOf(promise: Promise<unknown>): Promise<ZkError> {
    const error = await promise.then(
      () => assert.fail("it did not fail"),
      (error: unknown) => error,
    );
    assert.ok(error instanceof ZkError, String(error));
    return error;
  }

  it("say by name and number what happened, to what, and whether anything changed", async () => {
    const error = await failureOf(client.get("/missing"));
    assert.equal(error.name, "ZkError");
    assert.equal(error.code, "NO_NODE");
    assert.equal(error.errno, ERROR_CODES.NO_NODE);
    assert.equal(error.path, "/missing");
    assert.equal(error.nothingChanged, true);
    assert.match(error.message, /\/missing/);
  });

  it("have the code that ZooKeeper gives", async () => {
    await client.create("/e");
    await client.create("/e/child");
    const cases: [string, () => Promise<unknown>][] = [
      ["NODE_EXISTS", () => client.create("/e")],
      ["NO_NODE", () => client.create("/none/x")],
      ["BAD_VERSION", () => client.set("/e", "", { version: 7 })],
      ["NOT_EMPTY", () => client.delete("/e")],
      ["BAD_ARGUMENTS", () => client.get("relative")],
      ["BAD_ARGUMENTS", () => client.get("")],
      ["BAD_ARGUMENTS", () => client.get("/nul\0")],
      ["AUTH_FAILED", () => ensemble.client().addAuth("nonsense", "x")],
    ];
    for (const [code, call] of cases) {
      assert.equal((await failureOf(call())).code, code);
    }
  });

  it("have the stack of the caller", async () => {
    async function theCaller(): Promise<void> {
      await client.get("/missing");
    }
    const error = await failureOf(theCaller());
    assert.match(error.stack ?? "", /^ZkError: .*\n\s+at .*Client\.get .*\n\s+at async theCaller/);
  });

  it("are the same for whoever requires and whoever imports", async () => {
    const imported = (await import("zoowarden")) as typeof import("zoowarden");
    assert.equal(imported.ZkError, ZkError);
  });

  it("of a program's mistake are TypeErrors that name the argument", async () => {
    const wrong = (value: unknown): never => value as never;
    const cases: [RegExp, () => Promise<unknown>][] = [
      [/path must be a string/, () => client.get(wrong(undefined))],
      [/path must be a string/, () => client.exists(wrong(7))],
      [/path must be a string/, () => client.create(wrong(null))],
      [/data must be a string or a Uint8Array/, () => client.create("/x", wrong(7))],
      [/data must be a string or a Uint8Array/, () => client.set("/x", wrong({}))],
      [/options.version/, () => client.delete("/x", { version: 1.5 })],
      [/options.version/, () => client.set("/x", "", { version: wrong("1") })],
      [/options.version/, () => client.set("/x", "", { version: 2 ** 40 })],
      [/options.mode/, () => client.create("/x", "", { mode: wrong("forever") })],
      [/options.ttl/, () => client.create("/x", "", { ttl: 5 })],
      [/options.ttl/, () => client.create("/x", "", { mode: "persistentWithTtl" })],
      [/acl must be an array/, () => client.create("/x", "", { acl: wrong("open") })],
      [/entry of acl/, () => client.setAcl("/x", [wrong({ scheme: "world" })])],
      [/options must be an object/, () => client.get("/x", wrong(null))],
      [/options.timeout/, () => client.get("/x", { timeout: -1 })],
      [/options.timeout/, () => client.get("/x", { timeout: wrong("1") })],
      [/options.signal/, () => client.get("/x", { signal: wrong({}) })],
      [/options.watch/, () => client.get("/x", { watch: wrong(1) })],
      [/operations must be an array/, () => client.multi(wrong("x"))],
      [/type of an operation/, () => client.multi([wrong({ type: "get", path: "/" })])],
      [/path must be a string/, () => client.multi([wrong(undefined)])],
      [/scheme must be a string/, () => client.addAuth(wrong(1), "")],
    ];
    for (const [message, call] of cases) {
      await assert.rejects(call(), (error: Error) => {
        assert.ok(error instanceof TypeError, String(error));
        assert.match(error.message, message);
        return true;
      });
    }
    assert.throws(() => client.watch(wrong(1)), /path must be a string/);
    assert.throws(() => client.watch("/x", { limit: 0 }), /options.limit/);
    assert.throws(() => new Client(wrong(undefined)), /hosts must be a string/);
    assert.throws(() => new Client("h:99999999"), /h:99999999/);
    assert.throws(() => new Client("h", { onExpiry: wrong("retry") }), /options.onExpiry/);
    assert.throws(() => new Client("h", { sessionTimeout: 0 }), /options.sessionTimeout/);
    const session = { id: 1n, password: new Uint8Array(3) };
    assert.throws(() => new Client("h", { session }), /16 bytes, not 3/);
    assert.throws(() => client.setHosts("h:0:0"), /h:0:0/);
    assert.equal(await client.exists("/x"), null);
  });
});
