import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import * as required from "zoowarden";
import { ERROR_CODES } from "zoowarden";
import { ROOT } from "./harness.js";

/** What the macros wrote down while the add-on was compiled. */
const DECLARED =
  process.env["ZOOWARDEN_DECLARATIONS"] ??
  join(ROOT, "../target/debug/zoowarden-node-declarations/zoowarden-node");

function node(...args: string[]): void {
  try {
    execFileSync(process.execPath, args, { cwd: ROOT, encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    assert.fail(`${stdout}${stderr}`);
  }
}

const tsc = (...args: string[]): void => node("node_modules/typescript/bin/tsc", ...args);

describe("declarations", () => {
  it("of the native half are those that are checked in", () => {
    node("scripts/declarations.mjs", DECLARED, "--check");
  });

  it("of codes name all that the native half knows, with their numbers", () => {
    const { codes } = require(join(ROOT, "zoowarden.node")) as typeof import("../native.js");
    const native = Object.fromEntries(codes().map(({ name, errno }) => [name, errno]));
    assert.deepEqual({ ...ERROR_CODES }, native);
  });

  it("are the package's version's", () => {
    const { version } = require(join(ROOT, "zoowarden.node")) as typeof import("../native.js");
    assert.equal(version(), JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).version);
  });

  it("name the same for require and for import", async () => {
    const imported = await import("zoowarden");
    const names = (names: object): string[] =>
      Object.keys(names)
        .filter((name) => !["default", "module.exports", "__esModule"].includes(name))
        .sort();
    assert.deepEqual(names(imported), names(required));
  });

  it("say nothing of the native half to users", () => {
    for (const file of readdirSync(join(ROOT, "dist")).filter((name) => /\.d\.m?ts$/.test(name))) {
      const text = readFileSync(join(ROOT, "dist", file), "utf8");
      if (!["addon.d.ts", "port.d.ts", "arguments.d.ts"].includes(file)) {
        assert.doesNotMatch(text, /native"/, file);
      }
    }
  });

  const strict = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--types", "node"];
  const modern = ["--target", "ES2022", "--lib", "ES2023,ESNext.Disposable"];

  it("serve consumers as Node resolves them, modules and scripts", () => {
    const consumers = ["test/consumers/module.mts", "test/consumers/script.cts"];
    tsc(...strict, ...modern, "--module", "NodeNext", ...consumers);
  });

  it("serve consumers as bundlers resolve them", () => {
    const bundler = ["--module", "ESNext", "--moduleResolution", "Bundler"];
    tsc(...strict, ...modern, ...bundler, "test/consumers/module.mts");
  });
});
