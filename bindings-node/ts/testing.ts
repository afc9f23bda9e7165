/**
 * Ensembles for tests: `import { Ensemble } from "zoowarden/testing"`.
 *
 * Ordinary servers in this process, in memory, with everything that fails in real life at hand.
 */

import { addon } from "./addon.js";
import type { NativeEnsemble } from "../native";
import { checkCount } from "./arguments.js";
import { Client, type ClientOptions } from "./client.js";
import { unwrap } from "./error.js";
import { nativeNodeOptions, sessionId, type NodeOptions } from "./node.js";
import { checkCall, port } from "./port.js";
import type { CallOptions } from "./values.js";

/** Settings of all servers; storage and addresses are the ensemble's own. */
export type EnsembleOptions = Pick<
  NodeOptions,
  "tickTime" | "minSessionTimeout" | "maxSessionTimeout"
> &
  CallOptions;

/**
 * One or more servers that agree, numbered from 1.
 *
 * ```ts
 * await using ensemble = await Ensemble.start(3);
 * const client = await ensemble.client().connect();
 * await ensemble.kill(await ensemble.leader());
 * ```
 */
export class Ensemble implements AsyncDisposable {
  readonly #native: NativeEnsemble;
  #closing: Promise<void> | undefined;

  private constructor() {
    this.#native = new addon.NativeEnsemble(port.native);
  }

  /** Starts this many servers, in memory, and waits until all of them serve. */
  static async start(servers = 1, options: EnsembleOptions = {}): Promise<Ensemble> {
    checkCall(options);
    const ensemble = new Ensemble();
    const id = port.nextId();
    const count = checkCount(servers, "servers", 1);
    ensemble.#native.start(id, count, nativeNodeOptions(options));
    unwrap(await port.answer(id, options, "task"));
    return ensemble;
  }

  /** What clients are given to connect, of this process or of others. */
  get connectString(): string {
    return this.#native.connectString();
  }

  /** A client whose connections do not leave the process. */
  client(options?: ClientOptions): Client {
    return new Client(this.connectString, options, this.#native.net() ?? undefined);
  }

  /** Waits until a server leads, and tells which. */
  async leader(options?: CallOptions): Promise<number> {
    return (await this.#run((id) => this.#native.leader(id), options)) as number;
  }

  /** Ends a server as the end of its process would; what it has written is left to its successor. */
  async kill(server: number, options?: CallOptions): Promise<void> {
    await this.#run((id) => this.#native.kill(id, server), options);
  }

  /** Starts a killed server again and waits until it serves. */
  async restart(server: number, options?: CallOptions): Promise<void> {
    await this.#run((id) => this.#native.restart(id, server), options);
  }

  /** Ends a session as its expiry does: its ephemerals are gone when this is done. */
  async expireSession(session: Client | bigint, options?: CallOptions): Promise<void> {
    const session64 = sessionId(session);
    await this.#run((id) => this.#native.expireSession(id, session64), options);
  }

  /** Holds everything between two servers. */
  cut(a: number, b: number): void {
    this.#native.cut(a, b);
  }

  heal(a: number, b: number): void {
    this.#native.heal(a, b);
  }

  /** Holds everything between a server and all others. */
  isolate(server: number): void {
    this.#native.isolate(server);
  }

  /** Breaks the connections of a server's clients, and refuses new ones. */
  cutClient(server: number): void {
    this.#native.cutClient(server);
  }

  healClient(server: number): void {
    this.#native.healClient(server);
  }

  /** Undoes every cut. */
  healAll(): void {
    this.#native.healAll();
  }

  /** Ends all servers. Calls that still wait for them reject with `CLOSING`. */
  close(): Promise<void> {
    this.#closing ??= this.#run((id) => this.#native.shutdown(id), undefined).then(() => {});
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(start: (id: number) => void, options: CallOptions | undefined): Promise<unknown> {
    checkCall(options);
    const id = port.nextId();
    start(id);
    return unwrap(await port.answer(id, options, "task"));
  }
}
