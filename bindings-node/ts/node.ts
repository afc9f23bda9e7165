/** A server inside this process: no Java, no container, up in milliseconds. */

import { addon } from "./addon.js";
import type { NativeNode, NativeNodeOptions } from "../native";
import { checkCount, checkText } from "./arguments.js";
import { Client, type ClientOptions } from "./client.js";
import { unwrap } from "./error.js";
import { checkCall, port } from "./port.js";
import type { CallOptions } from "./values.js";

/** How a server runs. Without anything: alone, in memory, on a free port of this machine. */
export interface NodeOptions {
  /** Where it keeps what it acknowledged; one server at a time. Left out: in memory. */
  readonly dataDir?: string | undefined;
  /** Where it listens for clients: `"127.0.0.1:2181"`; port 0 takes a free one. */
  readonly clientAddress?: string | undefined;
  /** The unit of time limits, milliseconds: sessions end with this precision. */
  readonly tickTime?: number | undefined;
  /** Shorter session timeouts are raised to this, milliseconds. */
  readonly minSessionTimeout?: number | undefined;
  /** Longer session timeouts are cut to this, milliseconds. */
  readonly maxSessionTimeout?: number | undefined;
  /**
   * Users who may log in by SASL, each with a password; ACLs name them by the scheme `sasl`. Who
   * does not log in is served as well, as nobody.
   */
  readonly saslUsers?: Readonly<Record<string, string>> | undefined;
  /** The text of a zoo.cfg, for everything else. What stands above goes before it. */
  readonly zooCfg?: string | undefined;
  /** What would stand in the file `myid`: with a zoo.cfg that names an ensemble. */
  readonly myId?: number | undefined;
}

/**
 * A server inside this process.
 *
 * ```ts
 * await using node = await Node.start();
 * const client = await node.client().connect();
 * ```
 *
 * Like a listening socket it holds the process until it is closed; see {@link unref}.
 */
export class Node implements AsyncDisposable {
  readonly #native: NativeNode;
  #isHeld = false;
  #closing: Promise<void> | undefined;

  private constructor() {
    this.#native = new addon.NativeNode(port.native);
  }

  /**
   * Starts a server and waits until it serves. A member of an ensemble has only begun to look for
   * the others: see {@link ready}.
   */
  static async start(options: NodeOptions & CallOptions = {}): Promise<Node> {
    checkCall(options);
    const node = new Node();
    const id = port.nextId();
    node.#native.start(id, nativeNodeOptions(options));
    unwrap(await port.answer(id, options, "task"));
    return node.ref();
  }

  /** What clients are given to connect: `"127.0.0.1:43210"`. */
  get connectString(): string {
    return this.#native.connectString();
  }

  /** The port that clients connect to. */
  get port(): number {
    return this.#native.port();
  }

  /** Waits until clients are served. */
  async ready(options?: CallOptions): Promise<void> {
    checkCall(options);
    const id = port.nextId();
    this.#native.ready(id);
    unwrap(await port.answer(id, options, "task"));
  }

  /** A client of this server whose connection does not leave the process. */
  client(options?: ClientOptions): Client {
    return new Client(this.connectString, options, this.#native.net() ?? undefined);
  }

  /** Ends a session as its expiry does: its ephemerals are gone when this is done. */
  async expireSession(session: Client | bigint, options?: CallOptions): Promise<void> {
    checkCall(options);
    const id = port.nextId();
    this.#native.expireSession(id, sessionId(session));
    unwrap(await port.answer(id, options, "task"));
  }

  /** Lets this server hold the process, as it does from its start. */
  ref(): this {
    if (!this.#isHeld && this.#closing === undefined) {
      this.#isHeld = true;
      port.hold();
    }
    return this;
  }

  /** Lets the process end although the server runs. */
  unref(): this {
    if (this.#isHeld) {
      this.#isHeld = false;
      port.release();
    }
    return this;
  }

  /** Stops serving, in good order. Calls that still wait for it reject with `CLOSING`. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.unref();
    const id = port.nextId();
    this.#native.shutdown(id);
    unwrap(await port.answer(id, undefined));
  }
}

/** The id of a session, or of a client's. */
export function sessionId(session: Client | bigint): bigint {
  const id = session instanceof Client ? session.sessionId : session;
  if (typeof id !== "bigint") {
    throw new TypeError("session must be a Client or the bigint id of a session");
  }
  return id;
}

/** The options with their types checked, without what was left out. @internal */
export function nativeNodeOptions(options: NodeOptions): NativeNodeOptions {
  const native: NativeNodeOptions = {};
  const { dataDir, clientAddress, saslUsers, zooCfg } = options;
  if (dataDir !== undefined) {
    native.dataDir = checkText(dataDir, "options.dataDir");
  }
  if (clientAddress !== undefined) {
    native.clientAddress = checkText(clientAddress, "options.clientAddress");
  }
  if (zooCfg !== undefined) {
    native.zooCfg = checkText(zooCfg, "options.zooCfg");
  }
  if (saslUsers !== undefined) {
    const users = Object.entries(saslUsers).map(([user, password]) => {
      // An error that names the value would show it.
      if (typeof password !== "string") {
        throw new TypeError(`options.saslUsers: the password of ${user} must be a string`);
      }
      return [user, password] as const;
    });
    native.saslUsers = Object.fromEntries(users);
  }
  for (const name of ["tickTime", "minSessionTimeout", "maxSessionTimeout", "myId"] as const) {
    const value = options[name];
    if (value !== undefined) {
      native[name] = checkCount(value, `options.${name}`, 1);
    }
  }
  return native;
}
