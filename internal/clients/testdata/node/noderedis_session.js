'use strict';
// What belongs to a session, with node-redis: transactions, blocking commands, Pub/Sub, client-side caching. See families.js.

const assert = require('node:assert/strict');
const { setTimeout: sleep } = require('node:timers/promises');
const { createClient, WatchError } = require('redis');
const { options, key, pair, range, sameSet, eventually, run } = require('./families.js');

const { host, port, protocol } = options;
const opened = [];

// connect returns a client of its own.
const connect = async (settings) => {
  const r = createClient({ socket: { host, port, connectTimeout: 60e3 }, RESP: protocol, ...settings });
  r.on('error', (err) => { if (!settings?.mayBeLost) throw err; });
  opened.push(r);
  await r.connect();
  return r;
};
let r;

const families = {
  async transactions() {
    const [a, b] = pair('a', 'b');
    assert.deepEqual(await r.multi().set(a, 1).incr(a).rPush(b, ['x', 'y']).lRange(b, 0, -1).get(a).exec(),
      ['OK', 2, 2, ['x', 'y'], '2']);
    await assert.rejects(r.multi().incr(a).incr(b).exec(), (err) => /WRONGTYPE/.test(err.errors().next().value.message));
    assert.equal(await r.get(a), '3');
    await assert.rejects(r.multi().set(a, 9).addCommand(['SET', a]).exec());
    assert.equal(await r.get(a), '3');
    const counts = await Promise.all(range(100, () => r.multi().incr(a).incr(b + 'n').exec()));
    sameSet(counts.map(([n]) => n), range(100, (i) => i + 4));
  },

  // Ten clients add up by WATCH, GET, SET: none of their additions is lost.
  async watch() {
    const k = key('watched');
    let lost = 0;
    const count = async (times) => {
      const own = await connect();
      for (let done = 0; done < times;) {
        await own.watch(k);
        const n = Number(await own.get(k) ?? 0);
        try {
          await own.multi().set(k, `${n + 1}`).exec();
          done++;
        } catch (err) {
          assert.ok(err instanceof WatchError, `${err}`);
          lost++;
        }
      }
    };
    await Promise.all(range(10, () => count(20)));
    assert.equal(await r.get(k), '200');
    assert.ok(lost > 0, 'nobody was ever in the way of another');
  },

  async blocking() {
    const [list, other] = pair('list', 'other');
    const waiting = await connect();
    assert.equal(await waiting.blPop(list, 0.1), null);
    const popped = waiting.blPop([list + 'none', list], 0);
    const after = waiting.get(other); // behind it, in the same connection
    await sleep(50);
    await r.rPush(list, ['a', 'b']);
    assert.deepEqual({ ...await popped }, { key: list, element: 'a' });
    assert.equal(await after, null);
    assert.equal(await waiting.blMove(list, other, 'LEFT', 'RIGHT', 1), 'b');
    const lowest = waiting.bzPopMin(key('zset'), 0);
    await r.zAdd(key('zset'), [{ score: 2, value: 'two' }, { score: 1, value: 'one' }]);
    assert.deepEqual({ ...await lowest }, { key: key('zset'), value: 'one', score: 1 });
    if (protocol === 2) { // the library leaves the map of RESP3 as it is
      let read = null;
      waiting.xRead({ key: key('stream'), id: '$' }, { BLOCK: 0 }).then((entries) => { read = entries; });
      await eventually('the entry is read', async () => await r.xAdd(key('stream'), '*', { n: 'last' }) && read); // once it waits
      assert.deepEqual({ ...read[0].messages[0].message }, { n: 'last' });
    }
  },

  // Consumers take what producers push, each from lists in several slots: each element once.
  async queues() {
    const queues = range(5, (i) => key(`queue:${i}`));
    const taken = [];
    const consume = async () => {
      const own = await connect();
      for (;;) {
        const { element } = await own.brPop(queues, 0);
        if (element === 'end') return;
        taken.push(Number(element));
      }
    };
    const consumers = range(5, consume);
    await Promise.all(range(300, (i) => r.lPush(queues[i % 5], `${i}`)));
    await eventually('all is taken', () => taken.length === 300);
    await Promise.all(range(5, (i) => r.lPush(queues[i], 'end')));
    await Promise.all(consumers);
    assert.deepEqual(taken.sort((x, y) => x - y), range(300, (i) => i));
  },

  async pubsub() {
    const s = await connect();
    const got = [];
    const hear = (message, channel) => got.push([channel, message]);
    const names = range(100, (i) => key(`channel:${i}`));
    await s.subscribe(names, hear);
    await s.pSubscribe(key('pattern:*'), hear);
    for (let i = 0; i < 100; i++) assert.equal(await r.publish(names[i], `message ${i}`), 1);
    assert.equal(await r.publish(key('pattern:x'), 'by pattern'), 1);
    await eventually('all have arrived', () => got.length === 101);
    const want = [...range(100, (i) => [names[i], `message ${i}`]), [key('pattern:x'), 'by pattern']];
    sameSet(got.map(String), want.map(String));
    got.length = 0;
    await Promise.all(range(500, (i) => r.publish(names[7], `${i}`))); // those of one channel keep their order
    await eventually('500 have arrived', () => got.length === 500);
    assert.deepEqual(got, range(500, (i) => [names[7], `${i}`]));
    assert.deepEqual({ ...await r.pubSubNumSub([names[1], key('nobody')]) }, { [names[1]]: 1, [key('nobody')]: 0 });
    assert.equal((await r.pubSubChannels(key('channel:*'))).length, 100);
    assert.match(await s.ping(), /^pong$/i);
    if (protocol === 3) assert.equal(await s.set(key('s'), '1'), 'OK'); // RESP3 lets a subscriber do all
    await s.unsubscribe(names);
    await s.pUnsubscribe();
    assert.equal(await r.publish(names[0], 'nobody hears'), 0);
    assert.equal(`${await s.set(key('s'), '1')}`, 'OK'); // an ordinary connection again
    const bytes = Buffer.from(range(256, (i) => i));
    let binary;
    await s.subscribe(key('bytes\0'), (message, channel) => { binary = [channel, message]; }, true);
    await r.publish(key('bytes\0'), bytes);
    await eventually('bytes have arrived', () => binary);
    assert.deepEqual(binary, [Buffer.from(key('bytes\0')), bytes]);
  },

  async sharded() {
    const s = await connect();
    const got = [];
    const names = range(30, (i) => key(`sharded:${i}`)); // in slots of all shards
    for (const name of names) await s.sSubscribe(name, (message, channel) => got.push([channel, message]));
    for (const name of names) assert.equal(await r.sPublish(name, 'hello'), 1);
    await eventually('30 have arrived', () => got.length === 30);
    sameSet(got.map(String), names.map((name) => `${name},hello`));
    assert.equal((await r.pubSubShardChannels(key('sharded:*'))).length, 30);
    assert.equal(await r.publish(names[0], 'not sharded'), 0);
    for (const name of names) await s.sUnsubscribe(name);
    assert.equal(await r.sPublish(names[0], 'nobody hears'), 0);
  },

  // The library subscribes again by itself when its connection is lost.
  async reconnected() {
    const s = await connect({ mayBeLost: true, socket: { host, port, connectTimeout: 60e3, reconnectStrategy: () => 10 } });
    const id = await s.clientId();
    const got = [];
    await s.subscribe(key('again'), (message) => got.push(message));
    await s.sSubscribe(key('sharded again'), (message) => got.push(message));
    await r.publish(key('again'), 'before');
    await eventually('it hears', () => got.includes('before'));
    assert.equal(await r.clientKill({ filter: 'ID', id }), 1);
    await eventually('it hears again', async () => {
      await r.publish(key('again'), 'after');
      await r.sPublish(key('sharded again'), 'after, sharded');
      return got.includes('after') && got.includes('after, sharded');
    });
  },

  // What is cached is answered without the server, until somebody changes it.
  async cached() {
    const caching = await connect({ clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'LRU' } });
    const cache = caching.clientSideCache;
    const keys = range(50, (i) => key(`cached:${i}`)); // of all shards
    for (const k of keys) await r.set(k, 'old');
    for (let round = 0; round < 3; round++) {
      for (const k of keys) assert.equal(await caching.get(k), 'old');
    }
    assert.equal(cache.stats().hitCount, 100);
    assert.equal(cache.stats().missCount, 50);
    for (const k of keys) await r.set(k, 'new');
    await eventually('all are new', async () => (await Promise.all(keys.map((k) => caching.get(k)))).every((v) => v === 'new'));
    await r.del(keys[0]);
    await eventually('it is deleted', async () => await caching.get(keys[0]) === null);
    await r.set(keys[1], 'soon over', { expiration: { type: 'PX', value: 30 } });
    await eventually('it has expired', async () => await caching.get(keys[1]) === null);
  },
};

if (protocol === 2) delete families.cached; // it takes RESP3
connect().then((client) => {
  r = client;
  return run(families, () => Promise.all(opened.map((one) => one.close())));
});
