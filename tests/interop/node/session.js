// A session of node-zookeeper-client: every kind of call, each answer asserted.
//
// Usage: node session.js HOST:PORT, against a fresh server. Prints what fails, then
// `N passed, N failed`; the exit code is 1 if anything failed. Proven on Apache ZooKeeper first:
// `cargo xtask node --reference`.
'use strict';

const assert = require('node:assert/strict');
const { promisify } = require('node:util');
const zookeeper = require('node-zookeeper-client');

const { ACL, CreateMode, Event, Exception, Id, Permission } = zookeeper;
const DEADLINE_MS = 60000;

const hosts = process.argv[2];
const clients = [];
let passed = 0;
let failed = 0;

// The client's calls as promises; a call with a watcher takes it before the callback.
function promised(client) {
  const names = ['create', 'remove', 'setData', 'getData', 'setACL', 'getACL', 'exists',
    'getChildren', 'mkdirp', 'removeRecursive'];
  const entries = names.map((name) => [name, promisify(client[name]).bind(client)]);
  return { ...Object.fromEntries(entries), client };
}

async function open() {
  const client = zookeeper.createClient(hosts, { sessionTimeout: 10000 });
  clients.push(client);
  await new Promise((resolve) => {
    client.once('connected', resolve);
    client.connect();
  });
  return promised(client);
}

// The client's getData, getChildren and getACL hand over two results; promisify keeps the first.
function both(zk, name, ...args) {
  return new Promise((resolve, reject) => {
    zk.client[name](...args, (error, first, stat) => (error ? reject(error) : resolve([first, stat])));
  });
}

// A watch set by the call `name`: the promise of its event, once the call has returned.
async function watch(zk, name, path) {
  let fire;
  const event = new Promise((resolve) => { fire = resolve; });
  await zk[name](path, fire);
  return { event };
}

function fails(code, call) {
  return assert.rejects(call, (error) => error.getCode() === Exception[code]);
}

async function promise(name, body) {
  try {
    await body();
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`FAILED: ${name}: ${error.stack || error}`);
  }
}

async function creating(zk) {
  assert.equal(await zk.create('/n', Buffer.from('root')), '/n');
  await fails('NODE_EXISTS', zk.create('/n'));
  await fails('NO_NODE', zk.create('/nowhere/child'));
  assert.equal(await zk.create('/n/s-', CreateMode.PERSISTENT_SEQUENTIAL), '/n/s-0000000000');
  assert.equal(await zk.create('/n/e-', CreateMode.EPHEMERAL_SEQUENTIAL), '/n/e-0000000001');
  await zk.create('/n/e', CreateMode.EPHEMERAL);
  await fails('NO_CHILDREN_FOR_EPHEMERALS', zk.create('/n/e/child'));
  await zk.mkdirp('/n/a/b/c');
  assert.ok(await zk.exists('/n/a/b/c'));
}

async function readingAndWriting(zk) {
  const [data, stat] = await both(zk, 'getData', '/n');
  assert.equal(data.toString(), 'root');
  assert.equal(stat.version, 0);
  assert.equal(stat.numChildren, 4);
  const written = await zk.setData('/n', Buffer.from('again'), 0);
  assert.equal(written.version, 1);
  await fails('BAD_VERSION', zk.setData('/n', Buffer.from('x'), 7));
  const [names] = await both(zk, 'getChildren', '/n');
  assert.deepEqual(names.sort(), ['a', 'e', 'e-0000000001', 's-0000000000']);
  assert.equal(await zk.exists('/nowhere'), null);
  await fails('NO_NODE', zk.getData('/nowhere'));
  await fails('NOT_EMPTY', zk.remove('/n'));
}

async function watching(zk) {
  const created = await watch(zk, 'exists', '/w');
  await zk.create('/w');
  assert.equal((await created.event).getType(), Event.NODE_CREATED);
  const changed = await watch(zk, 'getData', '/w');
  const children = await watch(zk, 'getChildren', '/w');
  await zk.setData('/w', Buffer.from('x'));
  assert.equal((await changed.event).getType(), Event.NODE_DATA_CHANGED);
  await zk.create('/w/child');
  assert.equal((await children.event).getType(), Event.NODE_CHILDREN_CHANGED);
  const deleted = await watch(zk, 'exists', '/w/child');
  await zk.removeRecursive('/w');
  assert.equal((await deleted.event).getType(), Event.NODE_DELETED);
}

async function transactions(zk) {
  const commit = (transaction) => promisify(transaction.commit).call(transaction);
  const good = zk.client.transaction().create('/t', Buffer.from('1')).create('/t/child')
    .setData('/t', Buffer.from('2'), 0).check('/t').remove('/t/child');
  assert.equal((await commit(good)).length, 5);
  const [data, stat] = await both(zk, 'getData', '/t');
  assert.equal(data.toString(), '2');
  assert.equal(stat.version, 1);
  const bad = zk.client.transaction().remove('/t').create('/nowhere/child');
  await fails('NO_NODE', commit(bad));
  assert.ok(await zk.exists('/t'));
}

async function permissions(zk) {
  zk.client.addAuthInfo('digest', Buffer.from('alice:secret'));
  await zk.create('/p', ACL.CREATOR_ALL_ACL);
  const [acls, stat] = await both(zk, 'getACL', '/p');
  assert.equal(stat.aversion, 0);
  assert.equal(acls[0].id.id, 'alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=');
  const stranger = await open();
  await fails('NO_AUTH', stranger.getData('/p'));
  await zk.setACL('/p', [new ACL(Permission.READ, Id.ANYONE_ID_UNSAFE)]);
  await stranger.getData('/p');
  await fails('NO_AUTH', zk.setData('/p', Buffer.from('x')));
}

async function ephemeralsEndWithTheirSession(zk) {
  const other = await open();
  await other.create('/gone', CreateMode.EPHEMERAL);
  const gone = await watch(zk, 'exists', '/gone');
  other.client.close();
  assert.equal((await gone.event).getType(), Event.NODE_DELETED);
}

async function pipelining(zk) {
  await zk.create('/o');
  const writes = Array.from({ length: 200 }, (_, i) => zk.setData('/o', Buffer.from(`${i}`), i));
  const stats = await Promise.all(writes);
  assert.deepEqual(stats.map((stat) => stat.version), stats.map((_, i) => i + 1));
}

function finish() {
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

async function main() {
  setTimeout(() => {
    console.log(`FAILED: no end after ${DEADLINE_MS} ms`);
    failed += 1;
    finish();
  }, DEADLINE_MS);
  const zk = await open();
  const bodies = [creating, readingAndWriting, watching, transactions, permissions,
    ephemeralsEndWithTheirSession, pipelining];
  for (const body of bodies) await promise(body.name, () => body(zk));
  clients.forEach((client) => client.close());
  finish();
}

main();
