/**
 * The one error of this package.
 *
 * What lives here: the codes, the error, and turning a failed answer into a thrown one. What does
 * not: mistakes of the program, which are `TypeError`s as everywhere in Node.
 */

/** ZooKeeper's codes by name, with their numbers on the wire. */
export const ERROR_CODES = {
  SYSTEM_ERROR: -1,
  RUNTIME_INCONSISTENCY: -2,
  DATA_INCONSISTENCY: -3,
  CONNECTION_LOSS: -4,
  MARSHALLING_ERROR: -5,
  UNIMPLEMENTED: -6,
  OPERATION_TIMEOUT: -7,
  BAD_ARGUMENTS: -8,
  INVALID_STATE: -9,
  UNKNOWN_SESSION: -12,
  NEW_CONFIG_NO_QUORUM: -13,
  RECONFIG_IN_PROGRESS: -14,
  NO_NODE: -101,
  NO_AUTH: -102,
  BAD_VERSION: -103,
  NO_CHILDREN_FOR_EPHEMERALS: -108,
  NODE_EXISTS: -110,
  NOT_EMPTY: -111,
  SESSION_EXPIRED: -112,
  INVALID_CALLBACK: -113,
  INVALID_ACL: -114,
  AUTH_FAILED: -115,
  CLOSING: -116,
  SESSION_MOVED: -118,
  NOT_READ_ONLY: -119,
  EPHEMERAL_ON_LOCAL_SESSION: -120,
  NO_WATCHER: -121,
  REQUEST_TIMEOUT: -122,
  RECONFIG_DISABLED: -123,
  SESSION_CLOSED_REQUIRE_SASL_AUTH: -124,
  QUOTA_EXCEEDED: -125,
  THROTTLED_OP: -127,
} as const;

/** The name of a code: what {@link ZkError.code} holds. */
export type ZkErrorCode = keyof typeof ERROR_CODES;

const NAMES = new Map<number, ZkErrorCode>(
  Object.entries(ERROR_CODES).map(([name, errno]) => [errno, name as ZkErrorCode]),
);

/** What is known of an operation that failed. */
export interface ZkErrorDetails {
  readonly code: ZkErrorCode;
  /** The znode it was about. */
  readonly path?: string | undefined;
  /** The operation, by ZooKeeper's name: `"create"`, `"getData"`, … */
  readonly operation?: string | undefined;
  /** True only if it is certain that the operation has changed nothing. */
  readonly nothingChanged: boolean;
  /** For a transaction: the place, from 0, of the operation that failed. */
  readonly index?: number | undefined;
}

/**
 * An operation failed.
 *
 * `CONNECTION_LOSS` and `OPERATION_TIMEOUT` mean that the outcome of a write is unknown, unless
 * {@link nothingChanged} says otherwise.
 */
export class ZkError extends Error {
  override readonly name = "ZkError";
  /** The code by name: `"NO_NODE"`. */
  readonly code: ZkErrorCode;
  /** The code by number: `-101`. */
  readonly errno: number;
  /** The znode it was about, as the caller named it. */
  readonly path: string | undefined;
  /** The operation, by ZooKeeper's name: `"create"`, `"getData"`, … */
  readonly operation: string | undefined;
  /** True only if it is certain that the operation has changed nothing. */
  readonly nothingChanged: boolean;
  /** For a transaction: the place, from 0, of the operation that failed. */
  readonly index: number | undefined;

  constructor(message: string, details: ZkErrorDetails) {
    super(message);
    this.code = details.code;
    this.errno = ERROR_CODES[details.code];
    this.path = details.path;
    this.operation = details.operation;
    this.nothingChanged = details.nothingChanged;
    this.index = details.index;
  }
}

/** An answer that says no. It becomes a {@link ZkError} where the caller's stack is known. */
export class Failure {
  constructor(
    readonly message: string,
    readonly details: ZkErrorDetails,
  ) {}

  /** From a number of the native side, whose list of codes is the same (a test compares them). */
  static of(errno: number, message: string, details: Omit<ZkErrorDetails, "code">): Failure {
    return new Failure(message, { ...details, code: NAMES.get(errno) ?? "SYSTEM_ERROR" });
  }
}

/** The caller gave up: what its signal gave as the reason. */
export class Aborted {
  constructor(readonly reason: unknown) {}
}

/**
 * The answer, or throws what went wrong.
 *
 * Called in an async function after its await, so that the stack goes on to whoever awaits that
 * function; this frame itself is left out.
 */
export function unwrap(reply: unknown): unknown {
  if (reply instanceof Failure) {
    const error = new ZkError(reply.message, reply.details);
    Error.captureStackTrace(error, unwrap);
    throw error;
  }
  if (reply instanceof Aborted) {
    throw reply.reason;
  }
  return reply;
}
