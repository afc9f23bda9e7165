/** A barrier: whoever comes waits while it is there. */

import { checkText } from "../arguments.js";
import type { Client } from "../client.js";
import { unwrap } from "../error.js";
import { checkCall, port } from "../port.js";
import type { CallOptions } from "../values.js";

/** A barrier at a path. */
export class Barrier {
  /** Where it is. */
  readonly path: string;
  readonly #client: Client;

  constructor(client: Client, path: string) {
    this.path = checkText(path, "path");
    this.#client = client;
  }

  /** Sets it up; true if it was not there. */
  async set(options?: CallOptions): Promise<boolean> {
    checkCall(options);
    const id = port.nextId();
    this.#client.native.barrierSet(id, this.path);
    return unwrap(await port.answer(id, options, "task")) as boolean;
  }

  /** Takes it away; true if it was there. */
  async remove(options?: CallOptions): Promise<boolean> {
    checkCall(options);
    const id = port.nextId();
    this.#client.native.barrierRemove(id, this.path);
    return unwrap(await port.answer(id, options, "task")) as boolean;
  }

  /** Waits until it is not there. */
  async wait(options?: CallOptions): Promise<void> {
    checkCall(options);
    const id = port.nextId();
    this.#client.native.barrierWait(id, this.path);
    unwrap(await port.answer(id, options, "task"));
  }
}
