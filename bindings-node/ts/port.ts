/**
 * Where answers come in.
 *
 * Everything asynchronous of the native side ends here, whichever client, node or recipe asked:
 * one wake-up for a batch of records, which are then handed to those who wait. One port per thread,
 * made with the first use of the package on it.
 *
 * Invariant: the process is held exactly while somebody waits for an answer or has asked for it
 * by a hold; an idle client lets it end.
 */

import { setInterval } from "node:timers";
import { addon } from "./addon.js";
import type { NativePort } from "../native";
import { Batch, type Receiver } from "./batch.js";
import { Aborted, Failure } from "./error.js";
import type { CallOptions, State, WatchEvent } from "./values.js";

/** The longest interval there is: the timer is there to be held, not to fire. */
const KEEPER_MS = 0x7fff_ffff;

/** Longest timeout of a call; a longer one would make Node's timer fire at once. */
const TIMEOUT_MS_MAX = 0x7fff_ffff;

type Settle = (reply: unknown) => void;

/** Hears what a watch hears. */
export interface WatchReceiver {
  event(event: WatchEvent): void;
  ended(): void;
}

/** Hears of a client's states. */
export interface StateReceiver {
  state(state: State): void;
}

class Port implements Receiver {
  readonly native: NativePort;
  readonly #replies = new Map<number, Settle>();
  readonly #listeners = new Map<number, Settle>();
  readonly #watches = new Map<number, WatchReceiver>();
  readonly #clients = new Map<number, StateReceiver>();
  readonly #keeper = setInterval(() => {}, KEEPER_MS).unref();
  /** Answers waited for, and holds. */
  #holds = 0;
  #lastId = 0;

  constructor() {
    this.native = new addon.NativePort(() => this.#drain());
  }

  /** A number that no request, watch or client of this thread has. */
  nextId(): number {
    do {
      // 0 stands for no watch.
      this.#lastId = (this.#lastId % 0xffff_ffff) + 1;
    } while (
      this.#replies.has(this.#lastId) ||
      this.#listeners.has(this.#lastId) ||
      this.#watches.has(this.#lastId) ||
      this.#clients.has(this.#lastId)
    );
    return this.#lastId;
  }

  /**
   * Waits for the answer of a request that has just been submitted. Never rejects: what went wrong
   * comes as a `Failure` or `Aborted`, for `unwrap`.
   *
   * A request is given up without more ado: what it does it does. A task, which the native side
   * carries out in several steps, is undone if it is given up; so once its answer is on the way it
   * cannot be.
   */
  answer(
    id: number,
    options: CallOptions | undefined,
    kind: "request" | "task" = "request",
  ): Promise<unknown> {
    return new Promise((resolve) => {
      const bounded =
        options !== undefined && (options.signal !== undefined || options.timeout !== undefined);
      this.#replies.set(id, bounded ? this.#bound(id, resolve, options, kind) : resolve);
      this.hold();
    });
  }

  /** Calls back with an answer that nobody waits for: it does not hold the process. */
  listen(id: number, callback: (reply: unknown) => void): void {
    this.#listeners.set(id, callback);
  }

  /** Holds the process until released as often. */
  hold(): void {
    this.#holds += 1;
    if (this.#holds === 1) {
      this.#keeper.ref();
    }
  }

  release(): void {
    this.#holds -= 1;
    if (this.#holds === 0) {
      this.#keeper.unref();
    }
  }

  addWatch(id: number, receiver: WatchReceiver): void {
    this.#watches.set(id, receiver);
  }

  dropWatch(id: number): void {
    this.#watches.delete(id);
  }

  addClient(id: number, receiver: StateReceiver): void {
    this.#clients.set(id, receiver);
  }

  dropClient(id: number): void {
    this.#clients.delete(id);
  }

  /** How much is registered here: of tests that look for leaks. */
  counts(): { replies: number; watches: number; clients: number; holds: number } {
    return {
      replies: this.#replies.size + this.#listeners.size,
      watches: this.#watches.size,
      clients: this.#clients.size,
      holds: this.#holds,
    };
  }

  reply(id: number, value: unknown): void {
    const settle = this.#replies.get(id);
    if (settle !== undefined) {
      this.#replies.delete(id);
      settle(value);
      this.release();
      return;
    }
    const listener = this.#listeners.get(id);
    if (listener !== undefined) {
      this.#listeners.delete(id);
      callSafely(() => listener(value));
    }
  }

  event(id: number, event: WatchEvent): void {
    this.#watches.get(id)?.event(event);
  }

  ended(id: number): void {
    const watch = this.#watches.get(id);
    this.#watches.delete(id);
    watch?.ended();
  }

  state(id: number, state: State): void {
    this.#clients.get(id)?.state(state);
  }

  #drain(): void {
    const batch = this.native.drain();
    if (batch !== null) {
      new Batch(batch).deliver(this);
    }
  }

  /** Wraps `resolve` so that a signal or a timer may come first. */
  #bound(id: number, resolve: Settle, options: CallOptions, kind: "request" | "task"): Settle {
    const { signal, timeout } = options;
    const giveUp = (outcome: unknown): void => {
      if (kind === "request" || this.native.cancel(id)) {
        this.reply(id, outcome);
      }
    };
    const stopListening =
      signal === undefined
        ? undefined
        : whenAborted(signal, () => giveUp(new Aborted(signal.reason)));
    const timer =
      timeout === undefined
        ? undefined
        : setTimeout(() => giveUp(timedOut(timeout)), Math.min(timeout, TIMEOUT_MS_MAX));
    return (reply) => {
      stopListening?.();
      clearTimeout(timer);
      resolve(reply);
    };
  }
}

interface Listening {
  readonly callbacks: Set<() => void>;
  stop(): void;
}

/** Who waits for each signal. One listener serves all: hundreds of calls may share a signal. */
const waitingForAbort = new WeakMap<AbortSignal, Listening>();

function listenTo(signal: AbortSignal): Listening {
  const callbacks = new Set<() => void>();
  const onAbort = (): void => [...callbacks].forEach((callback) => callback());
  const stop = (): void => {
    signal.removeEventListener("abort", onAbort);
    waitingForAbort.delete(signal);
  };
  const listening = { callbacks, stop };
  signal.addEventListener("abort", onAbort);
  waitingForAbort.set(signal, listening);
  return listening;
}

/** Calls back when the signal aborts; the answer is how to stop waiting for it. */
export function whenAborted(signal: AbortSignal, callback: () => void): () => void {
  const waiting = waitingForAbort.get(signal) ?? listenTo(signal);
  waiting.callbacks.add(callback);
  return () => {
    waiting.callbacks.delete(callback);
    if (waiting.callbacks.size === 0) {
      waiting.stop();
    }
  };
}

function timedOut(timeout: number): Failure {
  return new Failure(`no answer within ${timeout} ms; whether the operation happened is unknown`, {
    code: "OPERATION_TIMEOUT",
    nothingChanged: false,
  });
}

/** The port of this thread. */
export const port = new Port();

/** A mistake of a listener must not stop the batch it was called from. */
export function callSafely(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}

/** Throws now if the caller has already given up or gave nonsense, before anything is sent. */
export function checkCall(options: CallOptions | undefined): void {
  if (options === undefined) {
    return;
  }
  if (options === null || typeof options !== "object") {
    throw new TypeError("options must be an object");
  }
  const { signal, timeout } = options;
  if (timeout !== undefined && !(typeof timeout === "number" && timeout >= 0)) {
    throw new TypeError("options.timeout must be a number of milliseconds, 0 or more");
  }
  if (signal !== undefined) {
    // By what it can do: a signal may come from another realm, or from a library.
    if (typeof signal?.aborted !== "boolean" || typeof signal.addEventListener !== "function") {
      throw new TypeError("options.signal must be an AbortSignal");
    }
    if (signal.aborted) {
      throw signal.reason;
    }
  }
}
