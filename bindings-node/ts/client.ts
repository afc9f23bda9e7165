/** The client: one session, its operations, its states. */

import { EventEmitter } from "node:events";
import { addon } from "./addon.js";
import type { NativeClient, NativeClientOptions, NativeNet, NativeTls } from "../native";
import {
  checkAcl,
  checkCount,
  checkData,
  checkFunction,
  checkMode,
  checkText,
  checkVersion,
  describe,
} from "./arguments.js";
import type { Outcome } from "./batch.js";
import { Failure, unwrap } from "./error.js";
import { callSafely, checkCall, port } from "./port.js";
import { multi, Transaction, type Operation } from "./transaction.js";
import {
  OPEN_ACL,
  type Acl,
  type AclAndStat,
  type CallOptions,
  type ChildrenAndStat,
  type Created,
  type CreateOptions,
  type Data,
  type DataAndStat,
  type Id,
  type ReadOptions,
  type Stat,
  type State,
  type VersionOptions,
} from "./values.js";
import { OneShot, Watch, WATCH_LIMIT_DEFAULT, type WatchOptions } from "./watch.js";

/** How a client connects. */
export interface ClientOptions {
  /** Milliseconds that the session outlives its connection; the server has bounds. 10 000. */
  readonly sessionTimeout?: number | undefined;
  /** Goes on with an existing session instead of a new one. */
  readonly session?: { readonly id: bigint; readonly password: Uint8Array } | undefined;
  /** May use a server that has lost its quorum and only reads. False. */
  readonly readOnly?: boolean | undefined;
  /** Tries the hosts in random order. True. */
  readonly shuffle?: boolean | undefined;
  /**
   * When the session expires: `"renew"` begins a new one on the same client (`expired`, then
   * `connected`; ephemerals and watches of the old one are gone); `"end"` ends the client.
   */
  readonly onExpiry?: "renew" | "end" | undefined;
  /** Identities, given to every connection: `{ scheme: "digest", auth: "user:password" }`. */
  readonly auth?: readonly { readonly scheme: string; readonly auth: Data }[] | undefined;
  /**
   * Who the client is by SASL (DIGEST-MD5), proven on every connection before anything else is sent.
   * If a server refuses, or cannot prove that it knows the password too, the client ends:
   * `authFailed`.
   */
  readonly sasl?: { readonly user: string; readonly password: string } | undefined;
  /** Speaks TLS to all servers: `{}` trusts whom the operating system trusts. */
  readonly tls?: TlsOptions | undefined;
}

/** PEM texts. */
export interface TlsOptions {
  /** Authorities to trust, instead of those that the operating system trusts. */
  readonly ca?: Data | undefined;
  /** Certificate chain of this client, if the servers ask for one; together with {@link key}. */
  readonly cert?: Data | undefined;
  /** Private key of this client. */
  readonly key?: Data | undefined;
  /**
   * What a server must show: a trusted chain and its name (the default), a trusted chain, or
   * nothing, which is for tests only.
   */
  readonly verify?: "chainAndName" | "chainOnly" | "nothing" | undefined;
}

/** Events of a client. `state` comes with every change; the others when it changes to theirs. */
export interface ClientEvents {
  state: [state: State];
  connecting: [];
  connected: [];
  connectedReadOnly: [];
  suspended: [];
  expired: [];
  authFailed: [];
  closed: [];
}

/** Of reconfig: servers as in zoo.cfg, `"server.4=host:2888:3888;2181"`, separated by commas. */
export interface ReconfigOptions extends CallOptions {
  /** Servers to add or change. */
  readonly joining?: string | undefined;
  /** Ids of servers to remove: `"2,3"`. */
  readonly leaving?: string | undefined;
  /** The whole new list, instead of the two. */
  readonly members?: string | undefined;
  /** The version of the configuration it goes out from; left out, any. */
  readonly version?: bigint | undefined;
}

/**
 * A session with an ensemble. Connects from the moment it is made; operations wait until it is.
 *
 * An idle client does not hold the process, a pending operation does: see {@link ref}.
 */
export class Client extends EventEmitter<ClientEvents> implements AsyncDisposable {
  readonly #native: NativeClient;
  readonly #id = port.nextId();
  readonly #hosts: string;
  #state: State = "connecting";
  #isHeld = false;
  #closing: Promise<void> | undefined;

  /** @param hosts `"a:2181,[::1]:2182/chroot"` */
  constructor(hosts: string, options?: ClientOptions);
  /** @internal */
  constructor(hosts: string, options: ClientOptions | undefined, net: NativeNet | undefined);
  constructor(hosts: string, options: ClientOptions = {}, net?: NativeNet) {
    super();
    this.#hosts = checkText(hosts, "hosts");
    const native = nativeOptions(options);
    this.#native = new addon.NativeClient(port.native, this.#id, hosts, native, net);
    port.addClient(this.#id, { state: (state) => this.#changed(state) });
  }

  /** The last state that was told. */
  get state(): State {
    return this.#state;
  }

  /** `0n` before there is a session. */
  get sessionId(): bigint {
    return this.#native.sessionId();
  }

  get sessionPassword(): Buffer {
    return this.#native.sessionPassword();
  }

  /** Milliseconds, as granted by the server. */
  get sessionTimeout(): number {
    return this.#native.sessionTimeout();
  }

  /** `"address:port"` of the server it is connected to. */
  get server(): string | undefined {
    return this.#native.server() ?? undefined;
  }

  /** The newest change this client has seen. */
  get lastZxid(): bigint {
    return this.#native.lastZxid();
  }

  /** The part of the connect string that all paths are below: `"/app"`, or `""`. */
  get chroot(): string {
    return this.#native.chroot();
  }

  /** Lets this client hold the process even while it is idle. */
  ref(): this {
    if (!this.#isHeld && this.#closing === undefined) {
      this.#isHeld = true;
      port.hold();
    }
    return this;
  }

  /** Takes {@link ref} back. */
  unref(): this {
    if (this.#isHeld) {
      this.#isHeld = false;
      port.release();
    }
    return this;
  }

  /**
   * Waits until the client is connected. Rejects after `timeout` milliseconds, but goes on trying
   * then until it is closed.
   */
  async connect(options?: CallOptions): Promise<this> {
    checkCall(options);
    const id = port.nextId();
    this.#native.connected(id);
    const reply = await port.answer(id, options, "task");
    if (reply instanceof Failure && reply.details.code === "OPERATION_TIMEOUT") {
      const message = `not connected to ${this.#hosts} within ${options?.timeout} ms`;
      unwrap(new Failure(message, { ...reply.details, nothingChanged: true }));
    }
    unwrap(reply);
    return this;
  }

  /** Goes to other hosts; the session stays. */
  setHosts(hosts: string): void {
    this.#native.setHosts(checkText(hosts, "hosts"));
  }

  /** Ends the session, which deletes its ephemerals. Calls that still wait reject with `CLOSING`. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async create(path: string, data?: Data, options?: CreateOptions): Promise<Created> {
    checkCall(options);
    const mode = checkMode(options?.mode, options?.ttl);
    const id = port.nextId();
    this.#native.create(
      id,
      checkText(path, "path"),
      checkData(data),
      mode,
      checkAcl(options?.acl ?? OPEN_ACL),
      options?.ttl ?? 0,
      options?.parents ?? false,
    );
    const kind = options?.parents === true ? "task" : "request";
    return unwrap(await port.answer(id, options, kind)) as Created;
  }

  async get(path: string, options?: ReadOptions): Promise<DataAndStat> {
    checkCall(options);
    checkText(path, "path");
    const synced = this.#syncFirst(path, options);
    const id = port.nextId();
    const watch = this.#oneShot(options);
    this.#native.getData(id, path, watch?.id ?? 0);
    const reply = await port.answer(id, options);
    watch?.answered(reply);
    await confirmed(synced, watch);
    return unwrap(reply) as DataAndStat;
  }

  /** The znode's metadata, or `null` if it does not exist (a watch then waits for its creation). */
  async exists(path: string, options?: ReadOptions): Promise<Stat | null> {
    checkCall(options);
    checkText(path, "path");
    const synced = this.#syncFirst(path, options);
    const id = port.nextId();
    const watch = this.#oneShot(options);
    this.#native.exists(id, path, watch?.id ?? 0);
    const reply = await port.answer(id, options);
    if (reply instanceof Failure && reply.details.code === "NO_NODE") {
      await confirmed(synced, watch);
      return null;
    }
    watch?.answered(reply);
    await confirmed(synced, watch);
    return unwrap(reply) as Stat;
  }

  async getChildren(path: string, options?: ReadOptions): Promise<ChildrenAndStat> {
    checkCall(options);
    checkText(path, "path");
    const synced = this.#syncFirst(path, options);
    const id = port.nextId();
    const watch = this.#oneShot(options);
    this.#native.getChildren(id, path, watch?.id ?? 0);
    const reply = await port.answer(id, options);
    watch?.answered(reply);
    await confirmed(synced, watch);
    return unwrap(reply) as ChildrenAndStat;
  }

  async set(path: string, data: Data, options?: VersionOptions): Promise<Stat> {
    checkCall(options);
    const version = checkVersion(options?.version);
    const id = port.nextId();
    this.#native.setData(id, checkText(path, "path"), checkData(data), version);
    return unwrap(await port.answer(id, options)) as Stat;
  }

  async delete(path: string, options?: VersionOptions): Promise<void> {
    checkCall(options);
    const version = checkVersion(options?.version);
    const id = port.nextId();
    this.#native.delete(id, checkText(path, "path"), version);
    unwrap(await port.answer(id, options));
  }

  /** Deletes a znode and everything below it, not in one step; answers how many znodes it was. */
  async deleteRecursive(path: string, options?: CallOptions): Promise<number> {
    checkCall(options);
    const id = port.nextId();
    this.#native.deleteRecursive(id, checkText(path, "path"));
    return unwrap(await port.answer(id, options, "task")) as number;
  }

  /** Creates a path of persistent znodes; those that exist are left as they are. */
  async mkdirp(path: string, options?: CallOptions): Promise<void> {
    checkCall(options);
    const id = port.nextId();
    this.#native.mkdirp(id, checkText(path, "path"));
    unwrap(await port.answer(id, options, "task"));
  }

  async getAcl(path: string, options?: CallOptions): Promise<AclAndStat> {
    checkCall(options);
    const id = port.nextId();
    this.#native.getAcl(id, checkText(path, "path"));
    return unwrap(await port.answer(id, options)) as AclAndStat;
  }

  /** `options.version` is that of the ACL: `stat.aversion`. */
  async setAcl(path: string, acl: readonly Acl[], options?: VersionOptions): Promise<Stat> {
    checkCall(options);
    const version = checkVersion(options?.version);
    const id = port.nextId();
    this.#native.setAcl(id, checkText(path, "path"), checkAcl(acl), version);
    return unwrap(await port.answer(id, options)) as Stat;
  }

  /** Reads that follow show at least everything that was true when this was called. */
  async sync(path = "/", options?: CallOptions): Promise<void> {
    checkCall(options);
    const id = port.nextId();
    this.#native.sync(id, checkText(path, "path"));
    unwrap(await port.answer(id, options));
  }

  /** A collector of changes that happen together or not at all. */
  transaction(): Transaction {
    return Transaction.begin(this.#native);
  }

  /** The same with a list: all of it happens, or nothing. */
  async multi(operations: readonly Operation[], options?: CallOptions): Promise<Outcome[]> {
    return unwrap(await multi(this.#native, operations, options)) as Outcome[];
  }

  /** Watches until it is closed. The server is asked at once, not only with the first `next()`. */
  watch(path: string, options: WatchOptions = {}): Watch {
    checkCall({ signal: options?.signal });
    checkCount(options.limit ?? WATCH_LIMIT_DEFAULT, "options.limit", 1);
    return Watch.start(this.#native, checkText(path, "path"), options);
  }

  /** Adds an identity to this and all later connections of the session. */
  async addAuth(scheme: string, auth: Data, options?: CallOptions): Promise<void> {
    checkCall(options);
    const id = port.nextId();
    this.#native.addAuth(id, checkText(scheme, "scheme"), checkData(auth));
    unwrap(await port.answer(id, options));
  }

  /** Whom the server takes this connection for. */
  async whoAmI(options?: CallOptions): Promise<Id[]> {
    checkCall(options);
    const id = port.nextId();
    this.#native.whoAmI(id);
    return unwrap(await port.answer(id, options)) as Id[];
  }

  /** The ensemble's configuration, as text in `data`. */
  async getConfig(options?: CallOptions): Promise<DataAndStat> {
    checkCall(options);
    const id = port.nextId();
    this.#native.getConfig(id);
    return unwrap(await port.answer(id, options, "task")) as DataAndStat;
  }

  /** Changes the ensemble's members; answers the new configuration. */
  async reconfig(options: ReconfigOptions): Promise<DataAndStat> {
    checkCall(options);
    const text = (value: string | undefined, name: string): string | undefined =>
      value === undefined ? undefined : checkText(value, `options.${name}`);
    const id = port.nextId();
    this.#native.reconfig(
      id,
      text(options.joining, "joining"),
      text(options.leaving, "leaving"),
      text(options.members, "members"),
      options.version ?? -1n,
    );
    return unwrap(await port.answer(id, options)) as DataAndStat;
  }

  /** Paths of this session's ephemerals that begin with `prefix`. */
  async getEphemerals(prefix = "/", options?: CallOptions): Promise<string[]> {
    checkCall(options);
    const id = port.nextId();
    this.#native.getEphemerals(id, checkText(prefix, "prefix"));
    return unwrap(await port.answer(id, options)) as string[];
  }

  /** How many znodes are below the path, at any depth. */
  async getAllChildrenNumber(path: string, options?: CallOptions): Promise<number> {
    checkCall(options);
    const id = port.nextId();
    this.#native.getAllChildrenNumber(id, checkText(path, "path"));
    return unwrap(await port.answer(id, options)) as number;
  }

  /** For the recipes of this package. @internal */
  get native(): NativeClient {
    return this.#native;
  }

  async #close(): Promise<void> {
    this.unref();
    const id = port.nextId();
    this.#native.close(id);
    await port.answer(id, undefined);
    if (this.#state !== "closed") {
      this.#changed("closed");
    }
    port.dropClient(this.#id);
  }

  #changed(state: State): void {
    if (this.#state === state) {
      return;
    }
    this.#state = state;
    callSafely(() => this.emit("state", state));
    callSafely(() => this.emit(state));
  }

  #oneShot(options: ReadOptions | undefined): OneShot | undefined {
    if (options?.watch === undefined) {
      return undefined;
    }
    checkFunction(options.watch, "options.watch");
    return new OneShot(this.#native, options.watch);
  }

  /** Sent ahead of a linearizable read, without waiting for its answer. */
  #syncFirst(path: string, options: ReadOptions | undefined): Promise<unknown> | undefined {
    if (options?.linearizable !== true) {
      return undefined;
    }
    const id = port.nextId();
    this.#native.sync(id, path);
    return port.answer(id, options);
  }
}

/** Throws why the sync ahead of a read failed: then the read did, and its watch is none. */
async function confirmed(
  synced: Promise<unknown> | undefined,
  watch: OneShot | undefined,
): Promise<void> {
  const reply = await synced;
  watch?.answered(reply);
  unwrap(reply);
}

/** Makes a client and waits until it is connected; closes it again if that fails. */
export async function connect(
  hosts: string,
  options: ClientOptions & CallOptions = {},
): Promise<Client> {
  checkCall(options);
  const client = new Client(hosts, options);
  try {
    return await client.connect(options);
  } catch (error) {
    await client.close();
    throw error;
  }
}

function nativeOptions(options: ClientOptions): NativeClientOptions {
  if (options === null || typeof options !== "object") {
    throw new TypeError(`options must be an object, not ${describe(options)}`);
  }
  const { session, sasl, tls, onExpiry } = options;
  if (onExpiry !== undefined && onExpiry !== "renew" && onExpiry !== "end") {
    throw new TypeError(`options.onExpiry must be "renew" or "end", not ${describe(onExpiry)}`);
  }
  if (session !== undefined && typeof session.id !== "bigint") {
    throw new TypeError("options.session.id must be a bigint");
  }
  const native: NativeClientOptions = {
    sessionTimeout: checkCount(options.sessionTimeout ?? 10_000, "options.sessionTimeout", 1),
    readOnly: options.readOnly ?? false,
    shuffle: options.shuffle ?? true,
    renew: onExpiry !== "end",
    auth: (options.auth ?? []).map(({ scheme, auth }) => ({
      scheme: checkText(scheme, "options.auth.scheme"),
      auth: checkData(auth),
    })),
  };
  if (session !== undefined) {
    native.sessionId = session.id;
    native.sessionPassword = session.password;
  }
  if (sasl !== undefined) {
    native.sasl = {
      user: checkText(sasl.user, "options.sasl.user"),
      password: checkText(sasl.password, "options.sasl.password"),
    };
  }
  if (tls !== undefined) {
    native.tls = nativeTls(tls);
  }
  return native;
}

const VERIFY = { chainAndName: 0, chainOnly: 1, nothing: 2 } as const;

function nativeTls({ ca, cert, key, verify }: TlsOptions): NativeTls {
  const code = VERIFY[verify ?? "chainAndName"];
  if (code === undefined) {
    throw new TypeError(`options.tls.verify must be a kind of check, not ${describe(verify)}`);
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError("options.tls.cert and options.tls.key go together");
  }
  const native: NativeTls = { verify: code };
  if (ca !== undefined) {
    native.ca = checkData(ca);
  }
  if (cert !== undefined) {
    native.cert = checkData(cert);
    native.key = checkData(key);
  }
  return native;
}
