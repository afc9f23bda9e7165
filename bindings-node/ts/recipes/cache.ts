/** Caches: a znode, or a tree, as the client's server last told of it. */

import { addon } from "../addon.js";
import type { NativeTreeCache, NativeZnodeCache } from "../../native";
import { checkText } from "../arguments.js";
import { readValue } from "../batch.js";
import type { Client } from "../client.js";
import { Failure, unwrap } from "../error.js";
import { checkCall, port } from "../port.js";
import type { CallOptions, DataAndStat } from "../values.js";

/**
 * Follows one znode, there or not. States that were soon followed by others may be skipped; none
 * comes after a newer one. Goes on in the new session of a client that renews.
 */
export class ZnodeCache implements AsyncDisposable {
  /** What it follows. */
  readonly path: string;
  readonly #native: NativeZnodeCache;

  private constructor(client: Client, path: string) {
    this.path = path;
    this.#native = new addon.NativeZnodeCache(client.native);
  }

  /** Follows the znode, which has been read once when this is done. */
  static async start(client: Client, path: string, options?: CallOptions): Promise<ZnodeCache> {
    checkCall(options);
    const cache = new ZnodeCache(client, checkText(path, "path"));
    const id = port.nextId();
    cache.#native.start(id, client.native, path);
    unwrap(await port.answer(id, options, "task"));
    return cache;
  }

  /** What is known of it; `null` if it does not exist. */
  get current(): DataAndStat | null {
    return readValue(this.#native.current()) as DataAndStat | null;
  }

  /** What is known of it, now and whenever that has changed. Ends when the cache is closed. */
  async *follow(options?: CallOptions): AsyncGenerator<DataAndStat | null> {
    yield this.current;
    while (await next((id) => this.#native.changed(id), options)) {
      yield this.current;
    }
  }

  /** Follows no more. */
  close(): void {
    this.#native.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}

/** What happened to a tree. After `missed` look at the whole. */
export type TreeChange =
  | { readonly type: "added" | "updated"; readonly path: string; readonly znode: DataAndStat }
  | { readonly type: "removed"; readonly path: string }
  | { readonly type: "missed"; readonly count: number };

/** Follows a path and everything below it, there or not. As {@link ZnodeCache} otherwise. */
export class TreeCache implements AsyncDisposable {
  /** What it follows. */
  readonly path: string;
  readonly #native: NativeTreeCache;

  private constructor(client: Client, path: string) {
    this.path = path;
    this.#native = new addon.NativeTreeCache(client.native);
  }

  /** Follows the tree, which has been walked once when this is done. */
  static async start(client: Client, path: string, options?: CallOptions): Promise<TreeCache> {
    checkCall(options);
    const cache = new TreeCache(client, checkText(path, "path"));
    const id = port.nextId();
    cache.#native.start(id, client.native, path);
    unwrap(await port.answer(id, options, "task"));
    return cache;
  }

  /** How many znodes are in it. */
  get size(): number {
    return this.#native.size();
  }

  get(path: string): DataAndStat | null {
    return readValue(this.#native.get(checkText(path, "path"))) as DataAndStat | null;
  }

  /** Names of a znode's children, in order. */
  children(path: string): string[] {
    return this.#native.children(checkText(path, "path"));
  }

  /** Changes since the start, or since the last one that was iterated. */
  async *changes(options?: CallOptions): AsyncGenerator<TreeChange> {
    for (;;) {
      const change = await next((id) => this.#native.changed(id), options);
      if (change === undefined) {
        return;
      }
      yield change as TreeChange;
    }
  }

  /** Follows no more. */
  close(): void {
    this.#native.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}

/** The next change, true if it is one without a value; `undefined` at the end of the cache. */
async function next(
  ask: (id: number) => void,
  options: CallOptions | undefined,
): Promise<unknown> {
  checkCall(options);
  const id = port.nextId();
  ask(id);
  const reply = await port.answer(id, options, "task");
  if (reply instanceof Failure && reply.details.code === "CLOSING") {
    return undefined;
  }
  return unwrap(reply) ?? true;
}
