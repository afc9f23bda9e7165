/** Finds and loads the native half. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type * as Native from "../native";

/** Names a `.node` file to be loaded instead of the one that came with the package. */
const OVERRIDE = "NAPI_RS_NATIVE_LIBRARY_PATH";

/** What the native half exports. */
export type Addon = typeof Native;

export const addon: Addon = load();

function load(): Addon {
  const override = process.env[OVERRIDE];
  const local = join(__dirname, "..", "zoowarden.node");
  if (override !== undefined) {
    return require(override) as Addon;
  }
  if (existsSync(local)) {
    return require(local) as Addon;
  }
  const triple = platform();
  try {
    return require(`zoowarden-${triple}`) as Addon;
  } catch (cause) {
    throw new Error(
      `zoowarden has no native part for ${triple}: neither ${local} nor the package ` +
        `zoowarden-${triple} can be loaded. Install again without --omit=optional (a lock file ` +
        `written on another platform may lack it: delete it and node_modules), or build the part ` +
        `with \`cargo build --release --package zoowarden-node\` and name it in ${OVERRIDE}.`,
      { cause },
    );
  }
}

/** `linux-x64-gnu`, `darwin-arm64`, … */
function platform(): string {
  const base = `${process.platform}-${process.arch}`;
  if (process.platform !== "linux") {
    return base;
  }
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return `${base}-${report.header?.glibcVersionRuntime === undefined ? "musl" : "gnu"}`;
}
