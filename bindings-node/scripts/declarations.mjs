// Makes `native.d.ts` of what the macros wrote while the add-on was compiled.
//
//   node scripts/declarations.mjs <file written by the macros>            writes native.d.ts
//   node scripts/declarations.mjs <file written by the macros> --check    fails if it would change

import { readFileSync, writeFileSync } from "node:fs";

const [source, mode] = process.argv.slice(2);
const target = new URL("../native.d.ts", import.meta.url);
const HEADING = `// Generated from \`src/\` by scripts/declarations.mjs; \`cargo xtask npm --write\` makes it anew.
// Private: what users see is declared by the TypeScript in \`ts/\`.
`;

function indent(text) {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.map((line) => (line === "" ? "" : `  ${line.startsWith("*") ? " " : ""}${line}\n`)).join("");
}

function declaration({ kind, name, def, doc, members }) {
  switch (kind) {
    case "interface":
      return `${doc}export interface ${name} {\n${indent(def)}}\n`;
    case "struct":
      return `${doc}export declare class ${name} {\n${indent(members)}}\n`;
    case "fn":
      return `${doc}export declare ${def}\n`;
    default:
      throw new Error(`no declaration is made of ${kind} ${name}`);
  }
}

const items = new Map();
for (const line of readFileSync(source, "utf8").split("\n").filter((line) => line !== "")) {
  const { kind, name, def, js_doc: doc } = JSON.parse(line);
  if (kind === "impl") {
    items.get(name).members = def;
  } else {
    items.set(name, { kind, name, def, doc, members: "" });
  }
}
const sorted = [...items.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
const text = [HEADING, ...sorted.map(declaration)].join("\n");

if (mode !== "--check") {
  writeFileSync(target, text);
} else if (readFileSync(target, "utf8") !== text) {
  console.error("native.d.ts is not what src/ declares: run `cargo xtask npm --write`");
  process.exit(1);
}
