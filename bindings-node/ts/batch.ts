/**
 * Reading the batches that the native side hands over.
 *
 * One buffer holds many records, little-endian, each `id u32, kind u8, fields`. The kinds and the
 * order of fields are those of `src/batch.rs`; nothing else may know them.
 */

import { Failure } from "./error.js";
import type { Acl, Id, Stat, State, WatchEvent } from "./values.js";

const NULL_LENGTH = 0xffff_ffff;
/** zxid of an event that was made up while watches were set again. */
const NO_ZXID = -1n;

const STATES: readonly State[] = [
  "connecting",
  "connected",
  "connectedReadOnly",
  "suspended",
  "expired",
  "authFailed",
  "closed",
];
const EVENTS = ["created", "deleted", "dataChanged", "childrenChanged"] as const;

/** Who is spoken to by a record. */
export interface Receiver {
  /** The answer of request `id`; a {@link Failure} if it failed. */
  reply(id: number, value: unknown): void;
  /** Something that watch `id` waits for. */
  event(id: number, event: WatchEvent): void;
  /** Watch `id` will never hear anything again. */
  ended(id: number): void;
  /** Client `id` is now in this state. */
  state(id: number, state: State): void;
}

/** One outcome of a transaction. */
export type Outcome =
  | { readonly type: "created"; readonly path: string; readonly stat: Stat | undefined }
  | { readonly type: "deleted" }
  | { readonly type: "set"; readonly stat: Stat }
  | { readonly type: "checked" };

/** Reads one batch from its beginning to its end. */
export class Batch {
  readonly #buffer: Buffer;
  readonly #view: DataView;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
    this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  }

  /** Hands every record to the receiver. */
  deliver(receiver: Receiver): void {
    while (this.#at < this.#buffer.length) {
      const id = this.#u32();
      const kind = this.#u8();
      switch (kind) {
        case 100:
          receiver.event(id, this.#event());
          break;
        case 101:
          receiver.event(id, { type: "state", state: this.#state() });
          break;
        case 102:
          receiver.event(id, { type: "overflow", dropped: this.#f64() });
          break;
        case 103:
          receiver.ended(id);
          break;
        case 104:
          receiver.state(id, this.#state());
          break;
        default:
          receiver.reply(id, this.#answer(kind));
      }
    }
  }

  #answer(kind: number): unknown {
    switch (kind) {
      case 0:
        return undefined;
      case 1:
        return this.#failure();
      case 2:
        return this.#text();
      case 3:
        return { path: this.#text(), stat: this.#stat() };
      case 4:
        return this.#stat();
      case 5: {
        const stat = this.#stat();
        return { data: this.#bytes(), stat };
      }
      case 6: {
        const stat = this.#stat();
        return { acl: this.#list(() => this.#acl()), stat };
      }
      case 7: {
        const stat = this.#stat();
        return { children: this.#texts(), stat };
      }
      case 8:
        return this.#outcomes();
      case 9:
        return this.#texts();
      case 10:
        return this.#i32();
      case 11:
        return this.#list(() => this.#id());
      case 12:
        return this.#i64();
      case 13:
        return this.#bytes();
      case 14:
        return null;
      case 15:
        return this.#u8() === 1;
      case 16:
        return this.#list(() => ({ path: this.#text(), data: this.#bytes(), stat: this.#stat() }));
      case 17:
        return this.#f64();
      default:
        throw new Error(`zoowarden.node does not match this package: record ${kind}`);
    }
  }

  #failure(): Failure {
    const errno = this.#i32();
    const nothingChanged = this.#u8() === 1;
    const index = this.#i32();
    const path = this.#text();
    const operation = this.#text();
    return Failure.of(errno, this.#text(), {
      nothingChanged,
      index: index < 0 ? undefined : index,
      path: path === "" ? undefined : path,
      operation: operation === "" ? undefined : operation,
    });
  }

  #event(): WatchEvent {
    const type = EVENTS[this.#u8() - 1] ?? "dataChanged";
    const zxid = this.#i64();
    return { type, path: this.#text(), zxid: zxid === NO_ZXID ? undefined : zxid };
  }

  #state(): State {
    return STATES[this.#u8()] ?? "closed";
  }

  #outcomes(): Outcome[] {
    return this.#list<Outcome>(() => {
      switch (this.#u8()) {
        case 0: {
          const path = this.#text();
          return { type: "created", path, stat: this.#u8() === 1 ? this.#stat() : undefined };
        }
        case 1:
          return { type: "deleted" };
        case 2:
          return { type: "set", stat: this.#stat() };
        default:
          return { type: "checked" };
      }
    });
  }

  #stat(): Stat {
    const view = this.#view;
    const at = this.#at;
    this.#at = at + 68;
    return {
      czxid: view.getBigInt64(at, true),
      mzxid: view.getBigInt64(at + 8, true),
      pzxid: view.getBigInt64(at + 16, true),
      ctime: view.getFloat64(at + 24, true),
      mtime: view.getFloat64(at + 32, true),
      version: view.getInt32(at + 40, true),
      cversion: view.getInt32(at + 44, true),
      aversion: view.getInt32(at + 48, true),
      ephemeralOwner: view.getBigInt64(at + 52, true),
      dataLength: view.getInt32(at + 60, true),
      numChildren: view.getInt32(at + 64, true),
    };
  }

  #acl(): Acl {
    const perms = this.#i32();
    return { perms, ...this.#id() };
  }

  #id(): Id {
    const scheme = this.#text();
    return { scheme, id: this.#text() };
  }

  #texts(): string[] {
    return this.#list(() => this.#text());
  }

  #list<T>(item: () => T): T[] {
    const list: T[] = [];
    for (let left = this.#u32(); left > 0; left -= 1) {
      list.push(item());
    }
    return list;
  }

  #text(): string {
    const length = this.#u32();
    const start = this.#at;
    this.#at = start + length;
    return length === 0 ? "" : this.#buffer.toString("utf8", start, this.#at);
  }

  /**
   * A value that is kept for long must not keep a whole batch alive: it is copied, unless it makes
   * up most of the batch itself.
   */
  #bytes(): Buffer {
    const length = this.#u32();
    if (length === NULL_LENGTH || length === 0) {
      return Buffer.alloc(0);
    }
    const start = this.#at;
    this.#at = start + length;
    const view = this.#buffer.subarray(start, this.#at);
    return length * 2 > this.#buffer.length ? view : Buffer.from(view);
  }

  #u8(): number {
    const at = this.#at;
    this.#at = at + 1;
    return this.#view.getUint8(at);
  }

  #u32(): number {
    const at = this.#at;
    this.#at = at + 4;
    return this.#view.getUint32(at, true);
  }

  #i32(): number {
    return this.#u32() | 0;
  }

  #i64(): bigint {
    const at = this.#at;
    this.#at = at + 8;
    return this.#view.getBigInt64(at, true);
  }

  #f64(): number {
    const at = this.#at;
    this.#at = at + 8;
    return this.#view.getFloat64(at, true);
  }
}
