// Generated from `src/` by scripts/declarations.mjs; `cargo xtask npm --write` makes it anew.
// Private: what users see is declared by the TypeScript in `ts/`.

/** An entry of an access control list. */
export interface NativeAcl {
  perms: number
  scheme: string
  id: string
}

/** A credential. */
export interface NativeAuth {
  scheme: string
  auth: Uint8Array
}

/** A session with an ensemble. */
export declare class NativeClient {
  /** Connects in the background, through `net` if there is one. States come through the port under `id`. */
  constructor(port: NativePort, id: number, hosts: string, options: NativeClientOptions, net?: NativeNet | undefined | null)
  /** 0 before there is a session. */
  sessionId(): bigint
  sessionPassword(): Buffer
  /** Milliseconds. */
  sessionTimeout(): number
  server(): string | null
  lastZxid(): bigint
  chroot(): string
  setHosts(hosts: string): void
  /** Answers when the client is connected, or over. */
  connected(id: number): void
  /** Ends the session and answers when that is done. */
  close(id: number): void
  create(id: number, path: string, data: Uint8Array, mode: number, entries: Array<NativeAcl>, ttl: number, parents: boolean): void
  getData(id: number, path: string, watch: number): void
  exists(id: number, path: string, watch: number): void
  getChildren(id: number, path: string, watch: number): void
  setData(id: number, path: string, data: Uint8Array, version: number): void
  delete(id: number, path: string, version: number): void
  deleteRecursive(id: number, path: string): void
  mkdirp(id: number, path: string): void
  getAcl(id: number, path: string): void
  setAcl(id: number, path: string, entries: Array<NativeAcl>, version: number): void
  sync(id: number, path: string): void
  multi(id: number, operations: Array<NativeOperation>): void
  /** Watches a path; at most `limit` events wait to be drained. */
  addWatch(id: number, path: string, recursive: boolean, watch: number, limit: number): void
  /** Ends a watch by JavaScript's number for it; one that is over is none. */
  forget(watch: number): void
  /** How many watches the client keeps. */
  watches(): number
  addAuth(id: number, scheme: string, auth: Uint8Array): void
  whoAmI(id: number): void
  getConfig(id: number): void
  reconfig(id: number, joining: string | undefined | null, leaving: string | undefined | null, members: string | undefined | null, config: bigint): void
  getEphemerals(id: number, prefix: string): void
  getAllChildrenNumber(id: number, path: string): void
  /** Answers who contends, in their order. Kinds as in `acquire`. */
  contenders(id: number, kind: number, path: string, count: number): void
  /** Sets a barrier up; answers whether it was not there. */
  barrierSet(id: number, path: string): void
  /** Takes a barrier away; answers whether it was there. */
  barrierRemove(id: number, path: string): void
  /** Answers when there is no barrier. */
  barrierWait(id: number, path: string): void
  /** Answers a counter's value. Encodings: 0 decimal, 1 of 32 bits, 2 of 64. */
  counterGet(id: number, path: string, encoding: number): void
  /** Adds, and answers the value after that. */
  counterAdd(id: number, path: string, encoding: number, delta: bigint): void
  /** Sets the value. */
  counterSet(id: number, path: string, encoding: number, value: bigint): void
  /** Sets `value` if it is `expected`, and answers the value before. */
  counterCompareAndSet(id: number, path: string, encoding: number, expected: bigint, value: bigint): void
}

/** How a client connects. Everything has been given its default. */
export interface NativeClientOptions {
  /** Milliseconds. */
  sessionTimeout: number
  readOnly: boolean
  shuffle: boolean
  /** Whether a new session follows an expired one. */
  renew: boolean
  auth: Array<NativeAuth>
  sasl?: NativeSasl
  /** Of a session to attach to; together with its password. */
  sessionId?: bigint
  sessionPassword?: Uint8Array
  tls?: NativeTls
}

/** A code of ZooKeeper. */
export interface NativeCode {
  /** `"NO_NODE"`. */
  name: string
  /** `-101`. */
  errno: number
}

/** Some servers in this process, in memory, and the lines between them. */
export declare class NativeEnsemble {
  constructor(port: NativePort)
  /** Answers when all servers serve. */
  start(id: number, servers: number, options: NativeNodeOptions): void
  /** What a client is given to connect; empty before the start. */
  connectString(): string
  /** The way in for clients of this process; null before the start. */
  net(): NativeNet | null
  /** Answers the number of the server that leads. */
  leader(id: number): void
  /** Ends a server as the end of its process would. */
  kill(id: number, server: number): void
  /** Starts a killed server and waits until it serves. */
  restart(id: number, server: number): void
  /** Ends a session as its expiry does. */
  expireSession(id: number, session: bigint): void
  /** Holds everything between two servers. */
  cut(a: number, b: number): void
  heal(a: number, b: number): void
  /** Holds everything between a server and all others. */
  isolate(server: number): void
  /** Breaks the connections of a server's clients, and refuses new ones. */
  cutClient(server: number): void
  healClient(server: number): void
  healAll(): void
  /** Ends all servers and answers then, a second time at once; calls that wait for them fail. */
  shutdown(id: number): void
}

/** A place for something that is to be acquired. Empty until then. */
export declare class NativeHolding {
  constructor(port: NativePort)
  /**
   * Kinds: 0 lock, 1 and 2 the read and the write half of a lock, 3 semaphore, 4 election,
   * 5 group, 6 double barrier. Answers whether it was acquired: with `try_only` it may not be.
   */
  acquire(id: number, client: NativeClient, kind: number, path: string, options: NativeRecipeOptions, tryOnly: boolean): void
  /** The fencing token; 0 before it is acquired. */
  token(): bigint
  /** Its znode; empty before it is acquired. */
  path(): string
  /** Whether it is certainly held. */
  isHeld(): boolean
  /** Answers, once it is lost, why. */
  lost(id: number): void
  /** Gives it back, or leaves, and answers when that is done; a second time at once. */
  release(id: number): void
}

/** Connections to servers of this process that never leave it. */
export declare class NativeNet {
}

/** A server, from before it starts until after it has ended. */
export declare class NativeNode {
  constructor(port: NativePort)
  /** Answers when it serves, or, as a member of an ensemble, has begun to look for the others. */
  start(id: number, options: NativeNodeOptions): void
  /** Answers when clients are served. */
  ready(id: number): void
  /** What a client is given to connect; empty before the start. */
  connectString(): string
  /** The port for clients; 0 if there is none. */
  port(): number
  /** The way in for clients of this process; null before the start. */
  net(): NativeNet | null
  /** Ends a session as its expiry does. */
  expireSession(id: number, session: bigint): void
  /** Ends in good order and answers then, a second time at once; calls that wait for it fail. */
  shutdown(id: number): void
}

/** How a server runs. What is left out is as in `NodeConfig::default`, or as in the zoo.cfg. */
export interface NativeNodeOptions {
  /** The text of a zoo.cfg, which the others go before. */
  zooCfg?: string
  /** What would stand in the file `myid`; for an ensemble. */
  myId?: number
  dataDir?: string
  /** `address:port`; port 0 takes a free one. */
  clientAddress?: string
  /** Milliseconds. */
  tickTime?: number
  /** Milliseconds. */
  minSessionTimeout?: number
  /** Milliseconds. */
  maxSessionTimeout?: number
  /** Users and their passwords. */
  saslUsers?: Record<string, string>
}

/** One operation of a multi: 0 create, 1 delete, 2 set, 3 check. */
export interface NativeOperation {
  kind: number
  path: string
  /** -1: any. */
  version: number
  /** Of create and set. */
  data?: Uint8Array
  /** Of create: its number on the wire. */
  mode?: number
  acl?: Array<NativeAcl>
  /** Milliseconds, with the modes that take it. */
  ttl?: number
}

/** The queue as JavaScript holds it. One per thread. */
export declare class NativePort {
  /** `wake` is called on this thread when there is something to drain. */
  constructor(wake: () => void)
  /**
   * The next records, or null if there are none. If more are left it has woken this thread
   * again.
   */
  drain(): Buffer | null
  /**
   * Gives up the task of a request that is no longer waited for. False if it has none, or if
   * its answer is on the way already.
   */
  cancel(id: number): boolean
}

/** A queue at a path. */
export declare class NativeQueue {
  constructor(client: NativeClient, path: string)
  put(id: number, data: Uint8Array, priority: number): void
  /** Answers the first entry, as soon as there is one, and takes it out. */
  take(id: number): void
  /** Answers the first entry and takes it out; null if there is none. */
  tryTake(id: number): void
  /** Answers how many entries are in it. */
  len(id: number): void
}

/** How a contender looks to others. */
export interface NativeRecipeOptions {
  identifier: Uint8Array
  acl: Array<NativeAcl>
  /** 0 kazoo's, 1 Curator's, 2 Curator's with the names of its latch. */
  layout: number
  /** Leases of a semaphore, members of a double barrier; else of no meaning. */
  count: number
}

/** Who the client is by SASL. */
export interface NativeSasl {
  user: string
  password: string
}

/** Whom to trust and who to be, PEM. */
export interface NativeTls {
  /** Left out: whom the operating system trusts. */
  ca?: Uint8Array
  /** Together with its key. */
  cert?: Uint8Array
  key?: Uint8Array
  /**
   * What a server's certificate must show: 0 a trusted chain and its name, 1 a trusted chain,
   * 2 nothing.
   */
  verify: number
}

/** A tree, followed from the start on until it is closed. */
export declare class NativeTreeCache {
  constructor(client: NativeClient)
  /** Answers when everything has been read once. */
  start(id: number, client: NativeClient, path: string): void
  /** A znode, as a record without a reader: data and `Stat`, or missing. */
  get(path: string): Buffer
  /** Names of a znode's children, in order. */
  children(path: string): Array<string>
  /** Znodes in it. */
  size(): number
  /** Answers the next change; fails when it has ended. */
  changed(id: number): void
  /** Follows no more. */
  close(): void
}

/** A znode, followed from the start on until it is closed. */
export declare class NativeZnodeCache {
  constructor(client: NativeClient)
  /** Answers when it has been read once. */
  start(id: number, client: NativeClient, path: string): void
  /** What is known now, as a record without a reader: data and `Stat`, or missing. */
  current(): Buffer
  /** Answers when something else is known than at the last time; fails when it has ended. */
  changed(id: number): void
  /** Follows no more. */
  close(): void
}

/** Every code there is; a test compares the list with that of `ts/error.ts`. */
export declare function codes(): Array<NativeCode>

/** The version of the package: `"0.1.0"`. */
export declare function version(): string
