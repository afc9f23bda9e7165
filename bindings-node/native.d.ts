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
  /** Of a session to attach to; together with its password. */
  sessionId?: bigint
  sessionPassword?: Uint8Array
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
  /** Ends all servers and answers then; a second time at once. */
  shutdown(id: number): void
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
  /** Ends in good order and answers then; a second time at once. */
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
  /** Gives up the task of a request that is no longer waited for, if it has one. */
  cancel(id: number): void
}

/** Every code there is; a test compares the list with that of `ts/error.ts`. */
export declare function codes(): Array<NativeCode>

/** The version of the package: `"0.1.0"`. */
export declare function version(): string
