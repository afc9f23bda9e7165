/** What the suites share: waiting for conditions, with a limit, and children of this process. */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "zoowarden";

/** The longest that anything may take. */
const LIMIT_MS = 30_000;

const POLL_MS = 5;

/** The folder of the package. */
export const ROOT = join(__dirname, "..", "..");

/** Waits until `check` answers something true. */
export async function until<T>(
  what: string,
  check: () => T | Promise<T>,
): Promise<NonNullable<T>> {
  const end = Date.now() + LIMIT_MS;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== null && value !== false) {
      return value;
    }
    if (Date.now() > end) {
      throw new Error(`waited ${LIMIT_MS} ms in vain: ${what}`);
    }
    await pause(POLL_MS);
  }
}

/** The promise, or an error after the limit. */
export async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const giveUp = new AbortController();
  const late = pause(LIMIT_MS, undefined, { signal: giveUp.signal, ref: true }).then(() => {
    throw new Error(`waited ${LIMIT_MS} ms in vain: ${what}`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    giveUp.abort();
  }
}

/** How many watches the native side keeps for a client. */
export function watchesOf(client: Client): number {
  return (client as unknown as { native: { watches(): number } }).native.watches();
}

/** What is registered on this thread: all zero when nothing is open. */
export function registered(): Record<"replies" | "watches" | "clients" | "holds", number> {
  return require(join(ROOT, "dist", "port.js")).port.counts();
}

export interface Ended {
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program of JavaScript in a process of its own, in the package's folder. */
export function run(program: string, kind: "commonjs" | "module" = "commonjs"): Promise<Ended> {
  const args = [`--input-type=${kind}`, "--eval", program];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: ROOT, timeout: LIMIT_MS }, (error, stdout, stderr) => {
      const code = error === null ? 0 : (error.code ?? error.signal ?? null);
      resolve({ code, stdout, stderr });
    });
  });
}
