/** Watches as values: to be iterated with `for await`, and to be closed. */

import type { NativeClient } from "../native";
import { Aborted, Failure, unwrap } from "./error.js";
import { callSafely, port, whenAborted, type WatchReceiver } from "./port.js";
import type { WatchEvent, WatchListener } from "./values.js";

/** Events that wait for their reader, unless another number is asked for. */
export const WATCH_LIMIT_DEFAULT = 1024;

/** How a watch looks. */
export interface WatchOptions {
  /** Everything below the path, too. */
  readonly recursive?: boolean | undefined;
  /**
   * How many events may wait for the reader. What comes beyond is dropped, and an `overflow` event
   * says how much.
   */
  readonly limit?: number | undefined;
  /** Ends the watch: the iteration then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

interface Reader {
  resolve(result: IteratorResult<WatchEvent, undefined> | Failure | Aborted): void;
}

const DONE: IteratorResult<WatchEvent, undefined> = { done: true, value: undefined };

/**
 * A persistent watch.
 *
 * ```ts
 * for await (const event of client.watch("/config", { recursive: true })) { … }
 * ```
 *
 * Leaving the loop removes the watch. The iteration ends when the watch or the client is closed, and
 * when the session is over (then the last event is a `state` event that says so).
 */
export class Watch implements AsyncIterableIterator<WatchEvent>, AsyncDisposable {
  /** What is watched. */
  readonly path: string;
  readonly #native: NativeClient;
  readonly #id = port.nextId();
  readonly #limit: number;
  readonly #signal: AbortSignal | undefined;
  readonly #ready: Promise<unknown>;
  readonly #waiting: WatchEvent[] = [];
  readonly #readers: Reader[] = [];
  #stopListening: (() => void) | undefined;
  #dropped = 0;
  #over = false;
  /** Told once to a reader, before the end. */
  #problem: Failure | Aborted | undefined;

  private constructor(native: NativeClient, path: string, options: WatchOptions) {
    this.path = path;
    this.#native = native;
    this.#limit = options.limit ?? WATCH_LIMIT_DEFAULT;
    this.#signal = options.signal;
    const request = port.nextId();
    native.addWatch(request, path, options.recursive ?? false, this.#id, this.#limit);
    port.addWatch(this.#id, {
      event: (event) => this.#event(event),
      // What the server refuses ends before its answer is here, which is to be told first.
      ended: () => void this.#ready.then(() => this.#end()),
    });
    this.#ready = port.answer(request, undefined).then((reply) => this.#registered(reply));
    this.#stopListening = this.#signal && whenAborted(this.#signal, () => this.#aborted());
  }

  /** @internal */
  static start(native: NativeClient, path: string, options: WatchOptions): Watch {
    return new Watch(native, path, options);
  }

  /** Waits until the server keeps the watch; rejects if it refuses. */
  async ready(): Promise<this> {
    unwrap(await this.#ready);
    return this;
  }

  /** The next event. Waiting for it holds the process. */
  async next(): Promise<IteratorResult<WatchEvent, undefined>> {
    const result = this.#take() ?? (await this.#wait());
    return unwrap(result) as IteratorResult<WatchEvent, undefined>;
  }

  /** Called by `for await` when the loop is left. */
  async return(): Promise<IteratorResult<WatchEvent, undefined>> {
    this.close();
    return DONE;
  }

  /** Removes the watch. Events not yet read are gone; the iteration ends. */
  close(): void {
    this.#waiting.length = 0;
    this.#dropped = 0;
    this.#problem = undefined;
    this.#end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #event(event: WatchEvent): void {
    if (event.type === "overflow") {
      this.#dropped += event.dropped;
    } else if (this.#dropped > 0 || this.#waiting.length >= this.#limit) {
      // Also after an overflow until it was told, so that the overflow stands where the gap is.
      this.#dropped += 1;
    } else {
      this.#waiting.push(event);
    }
    this.#feed();
  }

  #aborted(): void {
    this.#waiting.length = 0;
    this.#dropped = 0;
    this.#problem ??= new Aborted(this.#signal?.reason);
    this.#end();
  }

  #registered(reply: unknown): unknown {
    if (reply instanceof Failure) {
      this.#problem ??= this.#over ? undefined : reply;
      this.#end();
    }
    return reply;
  }

  #end(): void {
    if (!this.#over) {
      this.#over = true;
      this.#stopListening?.();
      port.dropWatch(this.#id);
      this.#native.forget(this.#id);
    }
    this.#feed();
  }

  #take(): IteratorResult<WatchEvent, undefined> | Failure | Aborted | undefined {
    const event = this.#waiting.shift();
    if (event !== undefined) {
      return { done: false, value: event };
    }
    if (this.#dropped > 0) {
      const dropped = this.#dropped;
      this.#dropped = 0;
      return { done: false, value: { type: "overflow", dropped } };
    }
    const problem = this.#problem;
    this.#problem = undefined;
    return problem ?? (this.#over ? DONE : undefined);
  }

  #wait(): Promise<unknown> {
    return new Promise((resolve) => {
      this.#readers.push({ resolve });
      port.hold();
    });
  }

  #feed(): void {
    while (this.#readers.length > 0) {
      const result = this.#take();
      if (result === undefined) {
        return;
      }
      this.#readers.shift()?.resolve(result);
      port.release();
    }
  }
}

/** A watch set by a read: tells its listener one event, then is over. */
export class OneShot implements WatchReceiver {
  readonly id = port.nextId();
  readonly #native: NativeClient;
  readonly #listener: WatchListener;

  constructor(native: NativeClient, listener: WatchListener) {
    this.#native = native;
    this.#listener = listener;
    port.addWatch(this.id, this);
  }

  event(event: WatchEvent): void {
    const tells =
      event.type === "state"
        ? event.state === "expired" || event.state === "authFailed" || event.state === "closed"
        : event.type !== "overflow";
    if (tells && event.type !== "overflow") {
      this.ended();
      callSafely(() => this.#listener(event));
    }
  }

  /** Of a read that failed, or was not waited for, nobody wants to hear. */
  answered(reply: unknown): void {
    if (reply instanceof Failure || reply instanceof Aborted) {
      this.ended();
    }
  }

  ended(): void {
    port.dropWatch(this.id);
    this.#native.forget(this.id);
  }
}
