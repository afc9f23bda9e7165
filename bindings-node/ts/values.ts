/** What operations take and give: plain values, named as in ZooKeeper. */

/** A znode's metadata. zxids and session ids are 64 bit wide and so `bigint`. */
export interface Stat {
  /** zxid of the change that created the znode; grows from owner to owner: a fencing token. */
  readonly czxid: bigint;
  /** zxid of the last change of its data. */
  readonly mzxid: bigint;
  /** zxid of the last creation or deletion of a child. */
  readonly pzxid: bigint;
  /** Milliseconds since 1970: `new Date(stat.ctime)`. */
  readonly ctime: number;
  /** Milliseconds since 1970 of the last change of its data. */
  readonly mtime: number;
  /** Number of changes of its data. */
  readonly version: number;
  /** Number of creations and deletions of children. */
  readonly cversion: number;
  /** Number of changes of its ACL. */
  readonly aversion: number;
  /** The session that owns an ephemeral, else `0n`. */
  readonly ephemeralOwner: bigint;
  /** Bytes. */
  readonly dataLength: number;
  readonly numChildren: number;
}

/** Permission bits, to be or-ed. */
export const Permission = {
  READ: 1,
  WRITE: 2,
  CREATE: 4,
  DELETE: 8,
  ADMIN: 16,
  ALL: 31,
} as const;

/** Somebody, within a scheme: `{ scheme: "world", id: "anyone" }`. */
export interface Id {
  readonly scheme: string;
  readonly id: string;
}

/** One entry of an access control list. */
export interface Acl extends Id {
  /** Bits of {@link Permission}. */
  readonly perms: number;
}

/** Everything to everybody. */
export const OPEN_ACL: readonly Acl[] = [{ perms: Permission.ALL, scheme: "world", id: "anyone" }];
/** Reading to everybody. */
export const READ_ACL: readonly Acl[] = [{ perms: Permission.READ, scheme: "world", id: "anyone" }];
/** Everything to whoever has authenticated on this connection. */
export const CREATOR_ALL_ACL: readonly Acl[] = [{ perms: Permission.ALL, scheme: "auth", id: "" }];

/** How a znode lives. Those with a time to live take `ttl` too. */
export const CreateMode = {
  PERSISTENT: "persistent",
  PERSISTENT_SEQUENTIAL: "persistentSequential",
  EPHEMERAL: "ephemeral",
  EPHEMERAL_SEQUENTIAL: "ephemeralSequential",
  CONTAINER: "container",
  PERSISTENT_WITH_TTL: "persistentWithTtl",
  PERSISTENT_SEQUENTIAL_WITH_TTL: "persistentSequentialWithTtl",
} as const;
/** How a znode lives. */
export type CreateMode = (typeof CreateMode)[keyof typeof CreateMode];

/** Data of a znode; a string is written as UTF-8. */
export type Data = string | Uint8Array;

/** On every operation: when to stop waiting for it. */
export interface CallOptions {
  /**
   * Rejects with the signal's reason when it aborts. A request that was already sent is not taken
   * back: the outcome of an aborted write is unknown.
   */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the call rejects with `OPERATION_TIMEOUT`; without it, no limit. */
  readonly timeout?: number | undefined;
}

/** Of operations that change only what has this version. */
export interface VersionOptions extends CallOptions {
  /** The expected version; left out, any will do. Else `BAD_VERSION`. */
  readonly version?: number | undefined;
}

/** Of operations that read. */
export interface ReadOptions extends CallOptions {
  /** Reads what is true now, not what the server has heard of: a sync goes ahead, pipelined. */
  readonly linearizable?: boolean | undefined;
  /**
   * Called once: when what was read changes, or with a `state` event when the session ends. The
   * watch is set by this very read, so nothing can fall between.
   */
  readonly watch?: WatchListener | undefined;
}

/** Of create. */
export interface CreateOptions extends CallOptions {
  /** Default: `CreateMode.PERSISTENT`. */
  readonly mode?: CreateMode | undefined;
  /** Default: {@link OPEN_ACL}. */
  readonly acl?: readonly Acl[] | undefined;
  /** Milliseconds without children or changes after which it is deleted. Only with a TTL mode. */
  readonly ttl?: number | undefined;
  /** Creates missing parents as persistent znodes first. */
  readonly parents?: boolean | undefined;
}

export interface Created {
  /** With the number, if the mode is a sequential one. */
  readonly path: string;
  readonly stat: Stat;
}

export interface DataAndStat {
  readonly data: Buffer;
  readonly stat: Stat;
}

export interface ChildrenAndStat {
  /** Names, not paths, in no particular order. */
  readonly children: string[];
  readonly stat: Stat;
}

export interface AclAndStat {
  readonly acl: Acl[];
  readonly stat: Stat;
}

/** How a client and its session are. The last three are final, `expired` only without renewal. */
export type State =
  | "connecting"
  | "connected"
  | "connectedReadOnly"
  | "suspended"
  | "expired"
  | "authFailed"
  | "closed";

/** What happened to a znode. */
export interface ZnodeEvent {
  readonly type: "created" | "deleted" | "dataChanged" | "childrenChanged";
  readonly path: string;
  /** The change behind it; `undefined` when it was noticed after a reconnect. */
  readonly zxid: bigint | undefined;
}

/** The connection or session changed: between `suspended` and `connected`, changes may be missed. */
export interface StateEvent {
  readonly type: "state";
  readonly state: State;
}

/** The reader was too slow: so many events were dropped here. Read again what you rely on. */
export interface OverflowEvent {
  readonly type: "overflow";
  readonly dropped: number;
}

export type WatchEvent = ZnodeEvent | StateEvent | OverflowEvent;

/** Hears of one change. */
export type WatchListener = (event: ZnodeEvent | StateEvent) => void;
