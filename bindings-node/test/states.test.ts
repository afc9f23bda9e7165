import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { Client, connect, type State } from "zoowarden";
import { Ensemble } from "zoowarden/testing";
import { until, within } from "./harness.js";

function statesOf(client: Client): State[] {
  const states: State[] = [];
  client.on("state", (state) => states.push(state));
  return states;
}

describe("states", () => {
  it("are told in their order, each under its name, too", async () => {
    await using ensemble = await Ensemble.start();
    const client = ensemble.client();
    assert.equal(client.state, "connecting");
    const states = statesOf(client);
    await within("connected", once(client, "connected"));
    assert.equal(client.state, "connected");
    ensemble.cutClient(1);
    await within("suspended", once(client, "suspended"));
    ensemble.healClient(1);
    await within("connected", once(client, "connected"));
    const closed = once(client, "closed");
    await client.close();
    await within("closed", closed);
    assert.deepEqual(states, ["connected", "suspended", "connected", "closed"]);
  });

  it("of an expired session: expired, then connected with a new one", async () => {
    await using ensemble = await Ensemble.start();
    await using client = await ensemble.client().connect();
    const states = statesOf(client);
    const session = client.sessionId;
    await client.create("/gone", "", { mode: "ephemeral" });
    await ensemble.expireSession(client);
    await until("a new session", () => states.includes("expired") && client.state === "connected");
    assert.deepEqual(
      states.filter((state) => state === "expired" || state === "connected"),
      ["expired", "connected"],
    );
    assert.notEqual(client.sessionId, session);
    assert.equal(await client.exists("/gone"), null);
  });

  it("of an expired session: expired and nothing else, for who wants that", async () => {
    await using ensemble = await Ensemble.start();
    await using client = await ensemble.client({ onExpiry: "end" }).connect();
    await ensemble.expireSession(client);
    await until("the end", () => client.state === "expired");
    await assert.rejects(client.get("/"), { code: "SESSION_EXPIRED" });
    await assert.rejects(client.connect(), { code: "SESSION_EXPIRED" });
  });

  it("survive the death of a server: the session goes on with another", async () => {
    await using ensemble = await Ensemble.start(3);
    await using client = await ensemble.client().connect();
    await client.create("/kept", "", { mode: "ephemeral" });
    const session = client.sessionId;
    await ensemble.kill(await ensemble.leader());
    const kept = await until("an answer", () => client.exists("/kept").catch(() => null));
    assert.equal(kept.ephemeralOwner, session);
  });

  it("a write whose answer was lost says that its outcome is unknown", async () => {
    await using ensemble = await Ensemble.start(3);
    await using client = await ensemble.client().connect();
    for (const server of [1, 2, 3]) {
      ensemble.isolate(server);
    }
    const write = client.create("/unknown").catch((error: unknown) => error);
    // The write is on its way when this read, which needs no quorum, is waiting behind it.
    const read = client.get("/").catch((error: unknown) => error);
    await new Promise((resolve) => setImmediate(resolve));
    for (const server of [1, 2, 3]) {
      ensemble.cutClient(server);
    }
    const error = (await within("the loss", write)) as { code: string; nothingChanged: boolean };
    assert.equal(error.code, "CONNECTION_LOSS");
    await within("the loss", read);
  });

  it("connect and setHosts go where they are told", async () => {
    await using first = await Ensemble.start();
    await using client = await connect(first.connectString, { timeout: 20_000 });
    assert.equal(client.server, first.connectString);
    await using elsewhere = new Client("127.0.0.1:1");
    elsewhere.setHosts(first.connectString);
    await elsewhere.connect({ timeout: 20_000 });
    assert.equal(elsewhere.server, first.connectString);
  });
});
