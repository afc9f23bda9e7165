import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CREATOR_ALL_ACL, Client, Node, Permission, ZkError } from "zoowarden";
import { Ensemble } from "zoowarden/testing";

describe("SASL users of a node", () => {
  it("log in, and are the identities of lists; others are nobody", async () => {
    await using node = await Node.start({ saslUsers: { bob: "bobsecret", eve: "" } });
    const sasl = { user: "bob", password: "bobsecret" };
    const bob = await node.client({ sasl }).connect();
    await bob.create("/bobs", "x", { acl: CREATOR_ALL_ACL });
    const { acl } = await bob.getAcl("/bobs");
    assert.deepEqual(acl, [{ perms: Permission.ALL, scheme: "sasl", id: "bob" }]);
    const nobody = await node.client().connect();
    const wrong = node.client({ sasl: { user: "bob", password: "x" } });
    const unread = { code: "NO_AUTH" };
    await assert.rejects(nobody.get("/bobs"), unread);
    await assert.rejects(wrong.connect(), { code: "AUTH_FAILED" });
    await Promise.all([bob, nobody, wrong].map((client) => client.close()));
  });

  it("have names and passwords", async () => {
    const saslUsers = { bob: 7 } as unknown as Record<string, string>;
    await assert.rejects(Node.start({ saslUsers }), TypeError);
    await assert.rejects(Node.start({ saslUsers: { "": "x" } }), /a SASL user has no name/);
  });
});

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
