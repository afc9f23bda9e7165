/** The public names of the package. */

export { connect, Client } from "./client.js";
export type { ClientEvents, ClientOptions, ReconfigOptions } from "./client.js";
export { ERROR_CODES, ZkError } from "./error.js";
export type { ZkErrorCode, ZkErrorDetails } from "./error.js";
export { Node } from "./node.js";
export type { NodeOptions } from "./node.js";
export { Transaction } from "./transaction.js";
export type { Operation } from "./transaction.js";
export type { Outcome } from "./batch.js";
export { CREATOR_ALL_ACL, CreateMode, OPEN_ACL, Permission, READ_ACL } from "./values.js";
export type {
  Acl,
  AclAndStat,
  CallOptions,
  ChildrenAndStat,
  Created,
  CreateOptions,
  Data,
  DataAndStat,
  Id,
  OverflowEvent,
  ReadOptions,
  Stat,
  State,
  StateEvent,
  VersionOptions,
  WatchEvent,
  WatchListener,
  ZnodeEvent,
} from "./values.js";
export { Watch } from "./watch.js";
export type { WatchOptions } from "./watch.js";
