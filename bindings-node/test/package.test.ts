import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { ROOT } from "./harness.js";

const execute = promisify(execFile);

/** Packing, installing and one program. */
const LIMIT_MS = 120_000;

describe("the package as npm installs it", () => {
  let folder: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "zoowarden-npm-"));
    const quiet = ["--silent", "--no-audit", "--no-fund", "--offline"];
    const npm = (cwd: string, ...args: string[]): Promise<{ stdout: string }> =>
      execute("npm", [...args, ...quiet], { cwd, timeout: LIMIT_MS });
    const { stdout } = await npm(ROOT, "pack", "--pack-destination", folder);
    writeFileSync(join(folder, "package.json"), "{}");
    await npm(folder, "install", join(folder, stdout.trim()));
  });
  after(() => rmSync(folder, { recursive: true }));

  const program = (first: string): string => `${first}
    async function main() {
      const ensemble = await Ensemble.start();
      const client = await connect(ensemble.connectString, { timeout: 30_000 });
      await client.create("/installed", "it works");
      console.log((await client.get("/installed")).data.toString());
      await client.close();
      await ensemble.close();
    }
    main();`;

  for (const [name, first] of [
    [
      "module.mjs",
      'import { connect } from "zoowarden"; import { Ensemble } from "zoowarden/testing";',
    ],
    [
      "script.cjs",
      'const { connect } = require("zoowarden"); const { Ensemble } = require("zoowarden/testing");',
    ],
  ] as const) {
    it(`works for ${name}`, async () => {
      writeFileSync(join(folder, name), program(first));
      const { stdout } = await execute(process.execPath, [name], { cwd: folder, timeout: LIMIT_MS });
      assert.equal(stdout, "it works\n");
    });
  }

  it("says what to do when its native part is missing", async () => {
    rmSync(join(folder, "node_modules/zoowarden/zoowarden.node"));
    const failing = execute(process.execPath, ["-e", 'require("zoowarden")'], { cwd: folder });
    await assert.rejects(failing, /no native part for .*NAPI_RS_NATIVE_LIBRARY_PATH/s);
  });
});
