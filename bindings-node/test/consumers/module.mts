// A consumer of the package as a module. Compiled, never run: what is wrong here must be an error.

import { Client, connect, Node, ZkError, type Stat, type WatchEvent } from "zoowarden";
import { Ensemble } from "zoowarden/testing";

export async function use(signal: AbortSignal): Promise<void> {
  await using node = await Node.start({ dataDir: "data" });
  await using client = await connect(node.connectString, { timeout: 1000, signal });
  const { path, stat } = await client.create("/a", "x", { mode: "ephemeralSequential" });
  const owner: bigint = stat.ephemeralOwner;
  const version: number = stat.version;
  const found: Stat | null = await client.exists(path, { linearizable: true });
  const data: Buffer = (await client.get(path, { signal, timeout: 5 })).data;
  client.on("state", (state) => {
    const known: "connected" | "expired" | string = state;
    return known;
  });
  client.once("expired", () => {});
  for await (const event of client.watch("/", { recursive: true, limit: 10 })) {
    handle(event);
  }
  const outcomes = await client.transaction().check("/a", { version: 1 }).commit();
  for (const outcome of outcomes) {
    if (outcome.type === "set") {
      const changed: Stat = outcome.stat;
      void changed;
    }
  }
  await using ensemble = await Ensemble.start(3, { tickTime: 100 });
  const other: Client = ensemble.client({ onExpiry: "end" });
  void [owner, version, found, data, other];
}

function handle(event: WatchEvent): bigint | number | string | undefined {
  switch (event.type) {
    case "overflow":
      return event.dropped;
    case "state":
      return event.state;
    case "created":
    case "deleted":
    case "dataChanged":
    case "childrenChanged":
      return event.zxid;
  }
}

export function explain(error: unknown): string {
  if (error instanceof ZkError) {
    switch (error.code) {
      case "NO_NODE":
        return `${error.path}`;
      // @ts-expect-error: no code is called so
      case "NO_SUCH_CODE":
        return "";
      default:
        return error.nothingChanged ? "try again" : "look first";
    }
  }
  return String(error);
}

export async function misuse(client: Client): Promise<void> {
  // @ts-expect-error: a path is a string
  await client.get(7);
  // @ts-expect-error: no mode is called so
  await client.create("/a", "", { mode: "forever" });
  // @ts-expect-error: data is text or bytes
  await client.set("/a", { json: true });
  // @ts-expect-error: a Stat has bigints
  const zxid: number = (await client.get("/")).stat.czxid;
  // @ts-expect-error: there is no such event
  client.on("reconnected", () => {});
  // @ts-expect-error: it may be null
  (await client.exists("/")).version;
  // @ts-expect-error: a transaction is begun by a client
  new client.transaction.Transaction();
  // @ts-expect-error: the native half is private
  client.native;
  void zxid;
}
