/** A queue: each entry is handed to one taker. */

import { addon } from "../addon.js";
import type { NativeQueue } from "../../native";
import { checkCount, checkData, checkText } from "../arguments.js";
import type { Client } from "../client.js";
import { unwrap } from "../error.js";
import { checkCall, port } from "../port.js";
import type { CallOptions, Data } from "../values.js";

const PRIORITY = 100;

/** What was taken. */
export interface Entry {
  readonly data: Buffer;
  readonly priority: number;
  /** The name its znode had. */
  readonly name: string;
}

/** Of put. */
export interface PutOptions extends CallOptions {
  /** 0 to 999; smaller ones are taken first. 100. */
  readonly priority?: number | undefined;
}

/**
 * A queue at a path, shared with kazoo's. An entry is removed when it is taken: handed out at most
 * once; a taker that dies takes it along.
 */
export class Queue {
  /** Where it is. */
  readonly path: string;
  readonly #native: NativeQueue;

  constructor(client: Client, path: string) {
    this.path = checkText(path, "path");
    this.#native = new addon.NativeQueue(client.native, path);
  }

  async put(data: Data, options?: PutOptions): Promise<void> {
    checkCall(options);
    const priority = checkCount(options?.priority ?? PRIORITY, "options.priority", 0);
    const id = port.nextId();
    this.#native.put(id, checkData(data), priority);
    unwrap(await port.answer(id, options, "task"));
  }

  /** Waits for an entry and takes it. Given up by signal or timeout, it takes none. */
  async take(options?: CallOptions): Promise<Entry> {
    checkCall(options);
    const id = port.nextId();
    this.#native.take(id);
    return unwrap(await port.answer(id, options, "task")) as Entry;
  }

  /** The first entry, if there is one. */
  async tryTake(options?: CallOptions): Promise<Entry | null> {
    checkCall(options);
    const id = port.nextId();
    this.#native.tryTake(id);
    return unwrap(await port.answer(id, options, "task")) as Entry | null;
  }

  /** How many entries are in it. */
  async length(options?: CallOptions): Promise<number> {
    checkCall(options);
    const id = port.nextId();
    this.#native.len(id);
    return unwrap(await port.answer(id, options, "task")) as number;
  }
}
