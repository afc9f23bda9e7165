import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Client, ZkError } from "zoowarden";
import { Ensemble } from "zoowarden/testing";

/** A server of the tests has no users, so what shows here is what a refusal looks like. */
describe("SASL", () => {
  let ensemble: Ensemble;

  before(async () => {
    ensemble = await Ensemble.start();
  });
  after(() => ensemble.close());

  it("ends a client whose login is refused, and says why", async () => {
    const sasl = { user: "bob", password: "secret" };
    const client = new Client(ensemble.connectString, { sasl });
    await assert.rejects(client.connect(), (error: unknown) => {
      assert.ok(error instanceof ZkError, String(error));
      assert.equal(error.code, "AUTH_FAILED");
      assert.match(error.message, /no SASL login of bob/);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
    await client.close();
  });

  it("wants texts", () => {
    const sasl = { user: "bob", password: 7 } as unknown as { user: string; password: string };
    assert.throws(() => new Client(ensemble.connectString, { sasl }), TypeError);
  });
});
