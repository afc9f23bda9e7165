// Pipelined reads: this package against node-zookeeper-client, in one run, on one server.
//
//   node bench/pipelined.mjs [host:port]
//
// Without a server it starts one in a process of its own, so that clients are all that is measured
// here. node-zookeeper-client is looked for in NODE_PATH. Build the add-on with --release.

import { fork } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { connect, Node } from "../dist/index.mjs";

const DURATION_MS = 2000;
const ROUNDS = 3;
const IN_FLIGHT = [1, 16, 256, 4096];
const DATA = Buffer.alloc(100, "x");
const PATH = "/bench";

const SERVER = "--serve";

if (process.argv[2] === SERVER) {
  const node = await Node.start();
  process.send(node.connectString);
  process.on("disconnect", () => process.exit());
} else {
  await main(process.argv[2]);
}

async function main(named) {
  const [hosts, stop] = named === undefined ? await startServer() : [named, () => {}];
  const ours = await zoowarden(hosts);
  const theirs = await nodeZookeeperClient(hosts);
  console.log("in flight   zoowarden ops/s (us CPU)   node-zookeeper-client ops/s (us CPU)   ratio");
  for (const inFlight of IN_FLIGHT) {
    const best = { ours: { rate: 0, cpu: 0 }, theirs: { rate: 0, cpu: 0 } };
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [name, client] of [["ours", ours], ["theirs", theirs]]) {
        const measured = await measure(client.get, inFlight);
        best[name] = measured.rate > best[name].rate ? measured : best[name];
      }
    }
    const show = ({ rate, cpu }, width) => `${rate.toFixed(0)} (${cpu.toFixed(1)})`.padStart(width);
    const ratio = (best.ours.rate / best.theirs.rate).toFixed(1);
    console.log(`${String(inFlight).padStart(9)}${show(best.ours, 27)}${show(best.theirs, 39)}${ratio.padStart(8)}`);
  }
  await Promise.all([ours.close(), theirs.close()]);
  stop();
}

/** Operations per second, and microseconds of this process's time for each, all threads. */
async function measure(get, inFlight) {
  let count = 0;
  const end = performance.now() + DURATION_MS;
  const start = performance.now();
  const before = process.cpuUsage();
  const worker = async () => {
    while (performance.now() < end) {
      await get();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const { user, system } = process.cpuUsage(before);
  return { rate: (count * 1000) / (performance.now() - start), cpu: (user + system) / count };
}

async function zoowarden(hosts) {
  const client = await connect(hosts);
  await client.create(PATH, DATA);
  return { get: () => client.get(PATH), close: () => client.close() };
}

async function nodeZookeeperClient(hosts) {
  const { createClient } = createRequire(import.meta.url)("node-zookeeper-client");
  const client = createClient(hosts);
  await new Promise((resolve) => {
    client.once("connected", resolve);
    client.connect();
  });
  const get = () =>
    new Promise((resolve, reject) => {
      client.getData(PATH, (error, data) => (error ? reject(error) : resolve(data)));
    });
  return { get, close: () => client.close() };
}

async function startServer() {
  const server = fork(fileURLToPath(import.meta.url), [SERVER]);
  const hosts = await new Promise((resolve) => server.once("message", resolve));
  return [hosts, () => server.disconnect()];
}
