/** What can be acquired: locks, leases, leadership, membership, a place inside a double barrier. */

import { addon } from "../addon.js";
import type { NativeHolding, NativeRecipeOptions } from "../../native";
import { checkAcl, checkCount, checkData, checkText, describe } from "../arguments.js";
import { Client } from "../client.js";
import { unwrap } from "../error.js";
import { checkCall, port } from "../port.js";
import { OPEN_ACL, type Acl, type CallOptions, type Data } from "../values.js";

/** How a contender looks to others. */
export interface RecipeOptions {
  /** What others see of this one; nothing by default. */
  readonly identifier?: Data | undefined;
  /** Permissions of its znodes. Whoever contends must be able to read them. */
  readonly acl?: readonly Acl[] | undefined;
  /**
   * Whose names its znodes have: of programs that use the same path, kazoo's (default) or Curator's.
   * `"curatorLatch"` is for elections by Curator's LeaderLatch.
   */
  readonly layout?: "kazoo" | "curator" | "curatorLatch" | undefined;
}

/** Somebody who stands in line, or is a member. */
export interface Contender {
  /** The name of its znode. */
  readonly name: string;
  readonly identifier: Buffer;
  /** The fencing token it has when its turn comes. */
  readonly token: bigint;
}

/**
 * Why something is not held any more: it was given back; somebody removed its znode; the session has
 * ended; or there was no connection for a third of the session timeout.
 */
export type Loss = "released" | "removed" | "sessionEnded" | "outOfContact";

/** Numbers of what can be acquired, on the native side. */
const KINDS = {
  lock: 0,
  read: 1,
  write: 2,
  semaphore: 3,
  election: 4,
  group: 5,
  doubleBarrier: 6,
} as const;
type Kind = keyof typeof KINDS;

const LAYOUTS = { kazoo: 0, curator: 1, curatorLatch: 2 } as const;

/**
 * Something held, by an ephemeral znode of the client's session.
 *
 * ```ts
 * await using held = await new Lock(client, "/lock").acquire();
 * await fetch(url, { signal: held.signal, headers: { fence: `${held.token}` } });
 * ```
 */
export class Holding implements AsyncDisposable {
  /** The fencing token: greater than that of whoever held before. Let what it protects compare. */
  readonly token: bigint;
  /** Its znode. */
  readonly path: string;
  /** Aborts when it is lost, by whatever cause; the reason's `cause` is a {@link Loss}. */
  readonly signal: AbortSignal;
  readonly #native: NativeHolding;
  #loss: Loss | undefined;

  private constructor(native: NativeHolding) {
    this.#native = native;
    this.token = native.token();
    this.path = native.path();
    const lost = new AbortController();
    this.signal = lost.signal;
    const id = port.nextId();
    port.listen(id, (loss) => {
      this.#loss = loss as Loss;
      lost.abort(new Error(`${this.path} is not held any more: ${loss}`, { cause: loss }));
    });
    native.lost(id);
  }

  /** @internal */
  static of(native: NativeHolding): Holding {
    return new Holding(native);
  }

  /** Whether it is certainly held: false as soon as the connection is lost. */
  get isHeld(): boolean {
    return this.#native.isHeld();
  }

  /** Why it is lost; `undefined` while it is not. */
  get loss(): Loss | undefined {
    return this.#loss;
  }

  /**
   * Gives it back; until this is done nobody else holds. Of a place inside a double barrier: leaves,
   * and waits for the others to leave. Releasing what is lost or released is no error.
   */
  async release(options?: CallOptions): Promise<void> {
    checkCall(options);
    const id = port.nextId();
    this.#native.release(id);
    unwrap(await port.answer(id, options, "task"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}

/** What all of them have in common: a path, and standing in line at it. */
class Line {
  /** Where it is. */
  readonly path: string;
  readonly #client: Client;
  readonly #options: NativeRecipeOptions;

  /** @internal */
  protected constructor(client: Client, path: string, options: RecipeOptions, count: number) {
    if (!(client instanceof Client)) {
      throw new TypeError(`client must be a Client, not ${describe(client)}`);
    }
    const layout = LAYOUTS[options.layout ?? "kazoo"];
    if (layout === undefined) {
      throw new TypeError(`options.layout must be a layout, not ${describe(options.layout)}`);
    }
    this.path = checkText(path, "path");
    this.#client = client;
    this.#options = {
      identifier: checkData(options.identifier),
      acl: checkAcl(options.acl ?? OPEN_ACL),
      layout,
      count,
    };
  }

  /** @internal */
  protected async wait(kind: Kind, options: CallOptions | undefined): Promise<unknown> {
    return this.#enter(kind, options, false);
  }

  /** @internal */
  protected async tryNow(kind: Kind, options: CallOptions | undefined): Promise<unknown> {
    return this.#enter(kind, options, true);
  }

  /** @internal */
  protected async list(kind: Kind, options: CallOptions | undefined): Promise<unknown> {
    checkCall(options);
    const id = port.nextId();
    this.#client.native.contenders(id, KINDS[kind], this.path, this.#options.count);
    return port.answer(id, options, "task");
  }

  /** The holding, null for an attempt that failed, or what `unwrap` throws. */
  async #enter(kind: Kind, options: CallOptions | undefined, tryOnly: boolean): Promise<unknown> {
    checkCall(options);
    const native = new addon.NativeHolding(port.native);
    const id = port.nextId();
    native.acquire(id, this.#client.native, KINDS[kind], this.path, this.#options, tryOnly);
    const reply = await port.answer(id, options, "task");
    if (reply === true) {
      return Holding.of(native);
    }
    return reply === false ? null : reply;
  }
}

/** A lock: one holder at a time, in the order in which they came. */
export class Lock extends Line {
  constructor(client: Client, path: string, options: RecipeOptions = {}) {
    super(client, path, options, 0);
  }

  /** Waits for its turn. Given up by signal or timeout, it leaves the line. */
  async acquire(options?: CallOptions): Promise<Holding> {
    return unwrap(await this.wait("lock", options)) as Holding;
  }

  /** Now, or not at all. */
  async tryAcquire(options?: CallOptions): Promise<Holding | null> {
    return unwrap(await this.tryNow("lock", options)) as Holding | null;
  }

  /** Who holds, and who waits, in their order. */
  async contenders(options?: CallOptions): Promise<Contender[]> {
    return unwrap(await this.list("lock", options)) as Contender[];
  }
}

/** A lock that many may hold for reading, or one for writing. */
export class ReadWriteLock extends Line {
  constructor(client: Client, path: string, options: RecipeOptions = {}) {
    super(client, path, options, 0);
  }

  /** Waits for those ahead who write. */
  async read(options?: CallOptions): Promise<Holding> {
    return unwrap(await this.wait("read", options)) as Holding;
  }

  /** Waits for all ahead. */
  async write(options?: CallOptions): Promise<Holding> {
    return unwrap(await this.wait("write", options)) as Holding;
  }

  async tryRead(options?: CallOptions): Promise<Holding | null> {
    return unwrap(await this.tryNow("read", options)) as Holding | null;
  }

  async tryWrite(options?: CallOptions): Promise<Holding | null> {
    return unwrap(await this.tryNow("write", options)) as Holding | null;
  }

  /** Who holds, and who waits, in their order. */
  async contenders(options?: CallOptions): Promise<Contender[]> {
    return unwrap(await this.list("read", options)) as Contender[];
  }
}

/** A number of leases, the same for all who use the path. */
export class Semaphore extends Line {
  constructor(client: Client, path: string, leases: number, options: RecipeOptions = {}) {
    super(client, path, options, checkCount(leases, "leases", 1));
  }

  /** Waits for a lease. */
  async acquire(options?: CallOptions): Promise<Holding> {
    return unwrap(await this.wait("semaphore", options)) as Holding;
  }

  async tryAcquire(options?: CallOptions): Promise<Holding | null> {
    return unwrap(await this.tryNow("semaphore", options)) as Holding | null;
  }

  /** Who has a lease. */
  async holders(options?: CallOptions): Promise<Contender[]> {
    return unwrap(await this.list("semaphore", options)) as Contender[];
  }
}

/** One leader among those who want to lead. */
export class Election extends Line {
  constructor(client: Client, path: string, options: RecipeOptions = {}) {
    super(client, path, options, 0);
  }

  /** Waits until this one leads; releasing the holding resigns. */
  async lead(options?: CallOptions): Promise<Holding> {
    return unwrap(await this.wait("election", options)) as Holding;
  }

  async tryLead(options?: CallOptions): Promise<Holding | null> {
    return unwrap(await this.tryNow("election", options)) as Holding | null;
  }

  /** Who leads. */
  async leader(options?: CallOptions): Promise<Contender | null> {
    return (await this.contenders(options))[0] ?? null;
  }

  /** The leader, and who would follow, in their order. */
  async contenders(options?: CallOptions): Promise<Contender[]> {
    return unwrap(await this.list("election", options)) as Contender[];
  }
}

/** Who is here: members are in it as long as their sessions last. */
export class Group extends Line {
  readonly #watching: Client;

  constructor(client: Client, path: string, options: RecipeOptions = {}) {
    super(client, path, options, 0);
    this.#watching = client;
  }

  /** Joins; releasing the holding leaves. Each call is another member. */
  async join(options?: CallOptions): Promise<Holding> {
    return unwrap(await this.wait("group", options)) as Holding;
  }

  /** The members, in the order in which they joined. */
  async members(options?: CallOptions): Promise<Contender[]> {
    return unwrap(await this.list("group", options)) as Contender[];
  }

  /** The members, now and whenever they have changed. */
  async *follow(options: { signal?: AbortSignal | undefined } = {}): AsyncGenerator<Contender[]> {
    await using watch = await this.#watching.watch(this.path, options).ready();
    yield await this.members(options);
    for await (const event of watch) {
      const passes = event.type === "state" && event.state !== "connected";
      if (!passes && event.type !== "dataChanged") {
        yield await this.members(options);
      }
    }
  }
}

/** Lets a number of members in together and out together, again and again. */
export class DoubleBarrier extends Line {
  constructor(client: Client, path: string, members: number, options: RecipeOptions = {}) {
    super(client, path, options, checkCount(members, "members", 1));
  }

  /** Waits until all members are there. Releasing the holding waits until all have left. */
  async enter(options?: CallOptions): Promise<Holding> {
    return unwrap(await this.wait("doubleBarrier", options)) as Holding;
  }
}
