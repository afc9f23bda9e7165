/** Checks of what callers pass: a mistake of the program is a `TypeError` that names the argument. */

import { types } from "node:util";
import type { Acl, CreateMode, Data } from "./values.js";

/** Numbers of create modes, as on the wire. */
const MODES: Readonly<Record<CreateMode, number>> = {
  persistent: 0,
  persistentSequential: 2,
  ephemeral: 1,
  ephemeralSequential: 3,
  container: 4,
  persistentWithTtl: 5,
  persistentSequentialWithTtl: 6,
};

const ANY_VERSION = -1;
const INT32_MAX = 0x7fff_ffff;
const EMPTY = new Uint8Array(0);

export function checkText(value: unknown, name: string): string {
  if (typeof value !== "string") {
    throw new TypeError(`${name} must be a string, not ${describe(value)}`);
  }
  return value;
}

export function checkData(data: Data | null | undefined): Uint8Array {
  if (typeof data === "string") {
    return Buffer.from(data, "utf8");
  }
  // Also of another realm: test runners give each file its own.
  if (types.isUint8Array(data)) {
    return data;
  }
  if (data === undefined || data === null) {
    return EMPTY;
  }
  throw new TypeError(`data must be a string or a Uint8Array, not ${describe(data)}`);
}

export function checkVersion(version: number | undefined): number {
  if (version === undefined) {
    return ANY_VERSION;
  }
  if (!Number.isInteger(version) || version < ANY_VERSION || version > INT32_MAX) {
    throw new TypeError(`options.version must be a version of a Stat, not ${describe(version)}`);
  }
  return version;
}

export function checkMode(mode: CreateMode | undefined, ttl: number | undefined): number {
  const code = MODES[mode ?? "persistent"];
  if (code === undefined) {
    throw new TypeError(`options.mode must be a CreateMode, not ${describe(mode)}`);
  }
  const wantsTtl = code === MODES.persistentWithTtl || code === MODES.persistentSequentialWithTtl;
  if (wantsTtl !== (ttl !== undefined)) {
    throw new TypeError("options.ttl goes with the modes WITH_TTL, and only with them");
  }
  if (ttl !== undefined && !Number.isSafeInteger(ttl)) {
    throw new TypeError(`options.ttl must be whole milliseconds, not ${describe(ttl)}`);
  }
  return code;
}

export function checkAcl(acl: readonly Acl[]): Acl[] {
  if (!Array.isArray(acl)) {
    throw new TypeError(`acl must be an array, not ${describe(acl)}`);
  }
  return acl.map((entry: Acl) => {
    const isEntry =
      typeof entry === "object" &&
      entry !== null &&
      Number.isInteger(entry.perms) &&
      typeof entry.scheme === "string" &&
      typeof entry.id === "string";
    if (!isEntry) {
      throw new TypeError("an entry of acl must be { perms, scheme, id }");
    }
    return entry;
  });
}

export function checkCount(value: number, name: string, least: number): number {
  if (!Number.isInteger(value) || value < least || value > INT32_MAX) {
    throw new TypeError(`${name} must be a whole number from ${least}, not ${describe(value)}`);
  }
  return value;
}

export function checkFunction(value: unknown, name: string): void {
  if (typeof value !== "function") {
    throw new TypeError(`${name} must be a function, not ${describe(value)}`);
  }
}

export function describe(value: unknown): string {
  if (value === null) {
    return "null";
  }
  return typeof value === "number" || typeof value === "string" ? String(value) : typeof value;
}
