// A consumer of the package by require. Compiled, never run.

import zoowarden = require("zoowarden");
import testing = require("zoowarden/testing");

export async function use(): Promise<zoowarden.Stat> {
  const ensemble: testing.Ensemble = await testing.Ensemble.start();
  const client = new zoowarden.Client(ensemble.connectString, { sessionTimeout: 4000 });
  await client.connect({ timeout: 1000 });
  const { children } = await client.getChildren("/");
  const names: string[] = children;
  const state: zoowarden.State = client.state;
  const acl: readonly zoowarden.Acl[] = zoowarden.OPEN_ACL;
  await client.create("/a", Buffer.from(names.join()), { acl, mode: zoowarden.CreateMode.EPHEMERAL });
  void state;
  return client.set("/a", "x", { version: 0 });
}

export function isGone(error: zoowarden.ZkError): boolean {
  return error.code === "NO_NODE" && error.errno === zoowarden.ERROR_CODES.NO_NODE;
}

// @ts-expect-error: sessions have bigint ids
export const client = new zoowarden.Client("h", { session: { id: 1, password: new Uint8Array(16) } });
