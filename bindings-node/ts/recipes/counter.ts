/** A number that many change without losing a change. */

import { checkText, describe } from "../arguments.js";
import type { Client } from "../client.js";
import { unwrap } from "../error.js";
import { checkCall, port } from "../port.js";
import type { CallOptions } from "../values.js";

/** How the number stands in the znode: as digits (kazoo), or in 4 or 8 bytes (Curator). */
export type CounterEncoding = "decimal" | "int32" | "int64";

const ENCODINGS: Readonly<Record<CounterEncoding, number>> = { decimal: 0, int32: 1, int64: 2 };

/** A counter at a path; 0 where there is none yet. */
export class Counter {
  /** Where it is. */
  readonly path: string;
  readonly #client: Client;
  readonly #encoding: number;

  constructor(client: Client, path: string, encoding: CounterEncoding = "decimal") {
    const code = ENCODINGS[encoding];
    if (code === undefined) {
      throw new TypeError(`encoding must be a CounterEncoding, not ${describe(encoding)}`);
    }
    this.path = checkText(path, "path");
    this.#client = client;
    this.#encoding = code;
  }

  /** The value, with every change that was acknowledged to anybody. */
  async get(options?: CallOptions): Promise<bigint> {
    checkCall(options);
    const id = port.nextId();
    this.#client.native.counterGet(id, this.path, this.#encoding);
    return unwrap(await port.answer(id, options, "task")) as bigint;
  }

  /** Adds; the answer is the value after that. */
  async add(delta: bigint | number = 1n, options?: CallOptions): Promise<bigint> {
    checkCall(options);
    const id = port.nextId();
    this.#client.native.counterAdd(id, this.path, this.#encoding, BigInt(delta));
    return unwrap(await port.answer(id, options, "task")) as bigint;
  }

  async set(value: bigint | number, options?: CallOptions): Promise<void> {
    checkCall(options);
    const id = port.nextId();
    this.#client.native.counterSet(id, this.path, this.#encoding, BigInt(value));
    unwrap(await port.answer(id, options, "task"));
  }

  /** Sets `value` if it is `expected`; the answer is the value before, `expected` if it was set. */
  async compareAndSet(
    expected: bigint | number,
    value: bigint | number,
    options?: CallOptions,
  ): Promise<bigint> {
    checkCall(options);
    const id = port.nextId();
    const [from, to] = [BigInt(expected), BigInt(value)];
    this.#client.native.counterCompareAndSet(id, this.path, this.#encoding, from, to);
    return unwrap(await port.answer(id, options, "task")) as bigint;
  }
}
