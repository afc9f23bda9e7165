/**
 * `tests/bindings/contract.json` by this package: against ensembles of one and of three, and against
 * the one that `ZOOWARDEN_CONTRACT_HOSTS` names: Apache ZooKeeper, say. The runner in Rust is the
 * model of what a step means.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  Client,
  connect,
  Permission,
  ZkError,
  type Acl,
  type Operation,
  type Outcome,
  type Stat,
  type Watch,
  type ZnodeEvent,
} from "zoowarden";
import { Ensemble } from "zoowarden/testing";
import { ROOT, until, within } from "./harness.js";

type Json = Record<string, any>;

const CONTRACT = JSON.parse(
  readFileSync(join(ROOT, "../tests/bindings/contract.json"), "utf8"),
) as { scenarios: { name: string; steps: Json[] }[] };

const OTHER_HOSTS = process.env["ZOOWARDEN_CONTRACT_HOSTS"];

const LETTERS: [string, number][] = [
  ["c", Permission.CREATE],
  ["d", Permission.DELETE],
  ["r", Permission.READ],
  ["w", Permission.WRITE],
  ["a", Permission.ADMIN],
];

/** Hears what a watch hears, whatever its kind. */
interface Ear {
  readonly events: ZnodeEvent[];
  readonly watch?: Watch;
}

/** Carries out one scenario. */
class Play {
  readonly #hosts: string;
  readonly #clients = new Map<string, Client>();
  readonly #ears = new Map<string, Ear>();

  constructor(hosts: string) {
    this.#hosts = hosts;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
  }

  async step(step: Json): Promise<void> {
    const client = await this.#client(step["client"] ?? "a");
    const ear = this.#ears.get(step["name"]);
    switch (step["do"]) {
      case "event": {
        const event = await until("an event", () => ear?.events.shift());
        const kind = event.type.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
        return this.#compare({ kind, path: event.path }, step["expect"]);
      }
      case "no_event":
        await client.sync("/");
        return assert.deepEqual(ear?.events, []);
      case "unwatch":
        return ear?.watch?.close();
      case "close":
        return client.close();
      default:
        return this.#compare(await this.#operate(client, step), step["expect"]);
    }
  }

  async #client(name: string): Promise<Client> {
    const client = this.#clients.get(name) ?? (await connect(this.#hosts, { timeout: 30_000 }));
    this.#clients.set(name, client);
    return client;
  }

  async #operate(client: Client, step: Json): Promise<Json> {
    try {
      return step["do"] === "watch"
        ? await this.#watch(client, step)
        : await operate(client, step);
    } catch (error) {
      assert.ok(error instanceof ZkError, String(error));
      return { error: nameOf(error), index: error.index };
    }
  }

  async #watch(client: Client, { path, kind, name }: Json): Promise<Json> {
    const events: ZnodeEvent[] = [];
    this.#ears.set(name, { events });
    const watch = (event: { type: string }): unknown => events.push(event as ZnodeEvent);
    switch (kind) {
      case "data":
        return dataOf(await client.get(path, { watch }));
      case "exists":
        return existence(await client.exists(path, { watch }));
      case "children":
        return childrenOf(await client.getChildren(path, { watch }));
      default: {
        const watch = await client.watch(path, { recursive: kind === "recursive" }).ready();
        this.#ears.set(name, { events, watch });
        void collect(watch, events);
        return {};
      }
    }
  }

  #compare(answer: Json, expected: Json): void {
    if (!("error" in expected)) {
      assert.equal(answer["error"], undefined);
    }
    for (const [member, wanted] of Object.entries(expected)) {
      if (member === "stat") {
        this.#compareStat(answer["stat"], wanted);
      } else if (member === "includes") {
        const same = (id: Json): boolean => id["scheme"] === wanted.scheme && id["id"] === wanted.id;
        assert.ok(answer["ids"].some(same), JSON.stringify(answer));
      } else if (member === "results") {
        assert.equal(answer["results"].length, wanted.length);
        wanted.forEach((wanted: Json, i: number) => this.#compare(answer["results"][i], wanted));
      } else {
        assert.deepEqual(answer[member], wanted);
      }
    }
  }

  #compareStat(stat: Stat, wanted: Json): void {
    for (const [field, value] of Object.entries(wanted)) {
      if (field === "owner") {
        const owner = value === null ? 0n : this.#clients.get(value)?.sessionId;
        assert.equal(stat.ephemeralOwner, owner);
      } else {
        const name = field.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
        assert.equal(stat[name as keyof Stat], value, field);
      }
    }
  }
}

async function operate(client: Client, step: Json): Promise<Json> {
  const { path, version } = step;
  switch (step["do"]) {
    case "create":
      return client.create(path, bytes(step), { mode: mode(step), acl: acl(step) });
    case "delete":
      await client.delete(path, { version });
      return {};
    case "exists":
      return existence(await client.exists(path));
    case "get":
      return dataOf(await client.get(path));
    case "set":
      return { stat: await client.set(path, bytes(step), { version }) };
    case "get_children":
      return childrenOf(await client.getChildren(path));
    case "get_acl": {
      const { acl, stat } = await client.getAcl(path);
      const letters = ({ perms }: Acl): string =>
        LETTERS.flatMap(([letter, bit]) => (perms & bit ? [letter] : [])).join("");
      return { acl: acl.map((entry) => ({ ...entry, perms: letters(entry) })), stat };
    }
    case "set_acl":
      return { stat: await client.setAcl(path, acl(step) ?? [], { version }) };
    case "sync":
      await client.sync(path);
      return {};
    case "get_ephemerals":
      return { paths: (await client.getEphemerals(path)).sort() };
    case "get_all_children_number":
      return { count: await client.getAllChildrenNumber(path) };
    case "add_auth":
      await client.addAuth(step["scheme"], step["auth"]);
      return {};
    case "who_am_i":
      return { ids: await client.whoAmI() };
    case "multi":
      return { results: (await client.multi(step["ops"].map(operation))).map(outcome) };
    default:
      throw new Error(`no operation is called ${step["do"]}`);
  }
}

function operation(step: Json): Operation {
  const { path, version } = step;
  switch (step["do"]) {
    case "create":
      return { type: "create", path, data: bytes(step), mode: mode(step) };
    case "set":
      return { type: "set", path, data: bytes(step), version };
    default:
      return { type: step["do"], path, version };
  }
}

async function collect(watch: Watch, events: ZnodeEvent[]): Promise<void> {
  for await (const event of watch) {
    if (event.type !== "state" && event.type !== "overflow") {
      events.push(event);
    }
  }
}

const outcome = ({ type, ...rest }: Outcome): Json => ({ kind: type, ...rest });

/** `"NoNode"` of `NO_NODE`. */
const nameOf = ({ code }: ZkError): string =>
  code.toLowerCase().replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());

const existence = (stat: Stat | null): Json =>
  stat === null ? { exists: false } : { exists: true, stat };

const childrenOf = ({ children, stat }: { children: string[]; stat: Stat }): Json => ({
  children: children.sort(),
  stat,
});

function dataOf({ data, stat }: { data: Buffer; stat: Stat }): Json {
  const text = data.toString();
  const isText = Buffer.from(text).equals(data) && !/\p{Cc}/u.test(text);
  return { data: isText ? text : { hex: data.toString("hex") }, stat };
}

const bytes = ({ data }: Json): Buffer =>
  typeof data === "string" ? Buffer.from(data) : Buffer.from(data.hex, "hex");

const mode = (step: Json): any =>
  step["mode"]?.replace(/_([a-z])/g, (_: string, letter: string) => letter.toUpperCase());

function acl(step: Json): Acl[] | undefined {
  return step["acl"]?.map(({ perms, scheme, id }: Json) => ({
    perms: LETTERS.reduce((sum, [letter, bit]) => sum + (perms.includes(letter) ? bit : 0), 0),
    scheme,
    id,
  }));
}

async function playAll(hosts: string): Promise<void> {
  await using whole = await connect(hosts, { timeout: 30_000 });
  for (const [number, { name, steps }] of CONTRACT.scenarios.entries()) {
    const root = `/contract-node-${whole.sessionId.toString(16)}-${number}`;
    await whole.create(root);
    const play = new Play(`${hosts}${root}`);
    for (const [at, step] of steps.entries()) {
      try {
        await within("a step", play.step(step));
      } catch (cause) {
        throw new Error(`${name}, step ${at}: ${JSON.stringify(step)}: ${cause}`, { cause });
      }
    }
    await play.close();
    await whole.deleteRecursive(root);
  }
}

describe("the contract of all bindings holds", () => {
  for (const servers of [1, 3]) {
    it(`with ${servers} server(s)`, async () => {
      await using ensemble = await Ensemble.start(servers);
      await playAll(ensemble.connectString);
    });
  }

  const skip = OTHER_HOSTS === undefined && "ZOOWARDEN_CONTRACT_HOSTS names no other ensemble";
  it("with the ensemble named", { skip }, () => playAll(OTHER_HOSTS ?? ""));
});
