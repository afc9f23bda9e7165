import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Ensemble } from "zoowarden/testing";
import { promisify } from "node:util";
import { execFile } from "node:child_process";
import { ROOT } from "./harness.js";

/** Inside the package, so that it finds itself by its name. */
const FOLDER = join(ROOT, "build", "readme");
const LIMIT_MS = 60_000;
const SERVER = "127.0.0.1:2181";

const text = readFileSync(join(ROOT, "README.md"), "utf8");
const examples = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1] ?? "");

describe("README", () => {
  let dataDir: string;

  before(() => {
    mkdirSync(FOLDER, { recursive: true });
    dataDir = mkdtempSync(join(tmpdir(), "zoowarden-npm-"));
    const files = examples.map((_, i) => join(FOLDER, `example-${i}.mts`));
    files.forEach((file, i) => writeFileSync(file, examples[i] ?? ""));
    const options = ["--strict", "--module", "NodeNext", "--target", "ES2022", "--types", "node"];
    const libraries = ["--lib", "ES2023,ESNext.Disposable"];
    const args = ["node_modules/typescript/bin/tsc", ...options, ...libraries, ...files];
    execFileSync(process.execPath, args, { cwd: ROOT, stdio: "inherit" });
  });
  after(() => rmSync(dataDir, { recursive: true }));

  it("has examples", () => assert.ok(examples.length >= 6, `${examples.length}`));

  examples.forEach((example, i) => {
    const first = example.split("\n").find((line) => line !== "" && !line.startsWith("import"));
    it(`runs example ${i + 1}: ${first}`, async () => {
      await using ensemble = await Ensemble.start();
      const file = join(FOLDER, `example-${i}.mjs`);
      writeFileSync(file, readFileSync(file, "utf8").replaceAll(SERVER, ensemble.connectString));
      await promisify(execFile)(process.execPath, [file], {
        timeout: LIMIT_MS,
        env: { ...process.env, DATA: dataDir },
      });
    });
  });
});
