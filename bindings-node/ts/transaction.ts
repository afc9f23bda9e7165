/** Several changes that happen together or not at all. */

import type { NativeClient, NativeOperation } from "../native";
import { checkAcl, checkData, checkMode, checkText, checkVersion } from "./arguments.js";
import type { Outcome } from "./batch.js";
import { Failure, unwrap } from "./error.js";
import { checkCall, port } from "./port.js";
import { OPEN_ACL, type Acl, type CallOptions, type CreateMode, type Data } from "./values.js";

/** One operation of a transaction. */
export type Operation =
  | {
      readonly type: "create";
      readonly path: string;
      readonly data?: Data | undefined;
      readonly mode?: CreateMode | undefined;
      readonly acl?: readonly Acl[] | undefined;
      readonly ttl?: number | undefined;
    }
  | {
      readonly type: "set";
      readonly path: string;
      readonly data: Data;
      readonly version?: number | undefined;
    }
  | { readonly type: "delete"; readonly path: string; readonly version?: number | undefined }
  | { readonly type: "check"; readonly path: string; readonly version?: number | undefined };

/** Collects operations; nothing is sent before {@link commit}. */
export class Transaction {
  readonly #native: NativeClient;
  readonly #operations: Operation[] = [];

  private constructor(native: NativeClient) {
    this.#native = native;
  }

  /** @internal */
  static begin(native: NativeClient): Transaction {
    return new Transaction(native);
  }

  create(
    path: string,
    data?: Data,
    options: Omit<Extract<Operation, { type: "create" }>, "type" | "path" | "data"> = {},
  ): this {
    this.#operations.push({ ...options, type: "create", path, data });
    return this;
  }

  set(path: string, data: Data, options: { readonly version?: number | undefined } = {}): this {
    this.#operations.push({ ...options, type: "set", path, data });
    return this;
  }

  delete(path: string, options: { readonly version?: number | undefined } = {}): this {
    this.#operations.push({ ...options, type: "delete", path });
    return this;
  }

  /** Lets the transaction happen only if the znode exists and has this version. */
  check(path: string, options: { readonly version?: number | undefined } = {}): this {
    this.#operations.push({ ...options, type: "check", path });
    return this;
  }

  /**
   * Sends everything at once. Rejects with the error of the operation that failed, whose place is in
   * `error.index`; then nothing has happened.
   */
  async commit(options?: CallOptions): Promise<Outcome[]> {
    return unwrap(await multi(this.#native, this.#operations, options)) as Outcome[];
  }
}

/** Sends the operations; the answer is for `unwrap`. @internal */
export async function multi(
  native: NativeClient,
  operations: readonly Operation[],
  options: CallOptions | undefined,
): Promise<unknown> {
  checkCall(options);
  if (!Array.isArray(operations)) {
    throw new TypeError("operations must be an array");
  }
  const encoded = operations.map(encode);
  const id = port.nextId();
  native.multi(id, encoded);
  const reply = await port.answer(id, options);
  if (reply instanceof Failure && reply.details.index !== undefined) {
    const path = operations[reply.details.index]?.path;
    return new Failure(reply.message, { ...reply.details, path });
  }
  return reply;
}

function encode(operation: Operation): NativeOperation {
  const path = checkText(operation?.path, "path");
  switch (operation.type) {
    case "create":
      return {
        kind: 0,
        path,
        data: checkData(operation.data),
        mode: checkMode(operation.mode, operation.ttl),
        acl: checkAcl(operation.acl ?? OPEN_ACL),
        ttl: operation.ttl ?? 0,
        version: 0,
      };
    case "delete":
      return { kind: 1, path, version: checkVersion(operation.version) };
    case "set":
      return {
        kind: 2,
        path,
        data: checkData(operation.data),
        version: checkVersion(operation.version),
      };
    case "check":
      return { kind: 3, path, version: checkVersion(operation.version) };
    default:
      throw new TypeError("the type of an operation must be create, set, delete or check");
  }
}
