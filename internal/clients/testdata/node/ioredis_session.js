'use strict';
// What belongs to a session, with ioredis: transactions, blocking commands, Pub/Sub. See families.js.

const assert = require('node:assert/strict');
const { setTimeout: sleep } = require('node:timers/promises');
const Redis = require('ioredis');
const { options, key, pair, range, sameSet, eventually, run } = require('./families.js');

const { host, port, cluster } = options;
const opened = [];

// connect returns a client of its own.
const connect = (more) => {
  const settings = { connectTimeout: 60e3, ...more };
  const r = cluster ? new Redis.Cluster([{ host, port }], { redisOptions: settings, slotsRefreshTimeout: 60e3 }) : new Redis({ host, port, ...settings });
  opened.push(r);
  return r;
};
const r = connect();

const families = {
  async transactions() {
    const [a, b] = pair('a', 'b');
    const replies = await r.multi().set(a, 1).incr(a).rpush(b, 'x', 'y').lrange(b, 0, -1).get(a).exec();
    assert.deepEqual(replies, [[null, 'OK'], [null, 2], [null, 2], [null, ['x', 'y']], [null, '2']]);
    const [one, wrong] = await r.multi().incr(a).incr(b).exec();
    assert.deepEqual(one, [null, 3]);
    assert.match(wrong[0].message, /WRONGTYPE/);
    await assert.rejects(r.multi().set(a, 9).call('SET', a).exec(), /EXECABORT/);
    assert.equal(await r.get(a), '3');
    if (!cluster) { // not in one write, but word for word
      assert.equal(await r.multi({ pipeline: false }), 'OK');
      assert.equal(await r.incr(a), 'QUEUED');
      assert.deepEqual(await r.exec(), [[null, 4]]);
    }
    const counts = await Promise.all(range(100, () => r.multi().incr(a).incr(b + 'n').exec()));
    sameSet(counts.map(([[, n]]) => n), range(100, (i) => i + (cluster ? 4 : 5)));
  },

  // Ten clients add up by WATCH, GET, SET: none of their additions is lost.
  async watch() {
    const k = key('watched');
    let lost = 0;
    const count = async (times) => {
      const own = connect();
      for (let done = 0; done < times;) {
        await own.watch(k);
        const n = Number(await own.get(k) ?? 0);
        if (await own.multi().set(k, n + 1).exec() === null) lost++;
        else done++;
      }
    };
    await Promise.all(range(10, () => count(20)));
    assert.equal(await r.get(k), '200');
    assert.ok(lost > 0, 'nobody was ever in the way of another');
    await r.watch(k);
    await r.unwatch();
  },

  async blocking() {
    const [list, other] = pair('list', 'other');
    const waiting = connect();
    const begun = Date.now();
    assert.equal(await waiting.blpop(list, 0.2), null);
    assert.ok(Date.now() - begun >= 190);
    const popped = waiting.blpop(list + 'none', list, 0);
    const after = waiting.get(other); // behind it, in the same connection
    await sleep(50);
    await r.rpush(list, 'a', 'b');
    assert.deepEqual(await popped, [list, 'a']);
    assert.equal(await after, null);
    assert.equal(await waiting.blmove(list, other, 'LEFT', 'RIGHT', 1), 'b');
    const moved = waiting.brpoplpush(list, other, 0);
    await r.lpush(list, 'c');
    assert.equal(await moved, 'c');
    const lowest = waiting.bzpopmin(key('zset'), 0);
    await r.zadd(key('zset'), 2, 'two', 1, 'one');
    assert.deepEqual(await lowest, [key('zset'), 'one', '1']);
  },

  // Consumers take what producers push, each from lists in several slots: each element once.
  async queues() {
    const queues = range(5, (i) => key(`queue:${i}`));
    const taken = [];
    const consume = async () => {
      const own = connect();
      for (;;) {
        const [, element] = await own.brpop(...queues, 0);
        if (element === 'end') return;
        taken.push(Number(element));
      }
    };
    const consumers = range(5, consume);
    await Promise.all(range(300, (i) => r.lpush(queues[i % 5], i)));
    await eventually('all is taken', () => taken.length === 300);
    await Promise.all(range(5, (i) => r.lpush(queues[i], 'end')));
    await Promise.all(consumers);
    assert.deepEqual(taken.sort((x, y) => x - y), range(300, (i) => i));
  },

  async groups() {
    const stream = key('stream');
    await r.xgroup('CREATE', stream, 'g', '$', 'MKSTREAM');
    const seen = [];
    const consume = async (name) => {
      const own = connect();
      for (;;) {
        const got = await own.xreadgroup('GROUP', 'g', name, 'COUNT', 1, 'BLOCK', 0, 'STREAMS', stream, '>');
        const [id, [, n]] = got[0][1][0];
        await own.xack(stream, 'g', id);
        if (n === 'end') return;
        seen.push(Number(n));
      }
    };
    const consumers = ['a', 'b', 'c'].map(consume);
    await Promise.all(range(200, (i) => r.xadd(stream, '*', 'n', i)));
    await Promise.all(consumers.map(() => r.xadd(stream, '*', 'n', 'end')));
    await Promise.all(consumers);
    assert.deepEqual(seen.sort((x, y) => x - y), range(200, (i) => i));
    assert.equal((await r.xpending(stream, 'g'))[0], 0);
    const waiting = connect();
    let read = null;
    waiting.xread('BLOCK', 0, 'STREAMS', stream, '$').then((entries) => { read = entries; });
    await eventually('the entry is read', async () => await r.xadd(stream, '*', 'n', 'last') && read); // once it waits
    assert.deepEqual(read[0][1][0][1], ['n', 'last']);
  },

  async pubsub() {
    const s = connect();
    const got = [];
    s.on('message', (channel, message) => got.push([channel, message]));
    s.on('pmessage', (pattern, channel, message) => got.push([pattern, channel, message]));
    const names = range(100, (i) => key(`channel:${i}`));
    assert.equal(await s.subscribe(...names), 100);
    assert.equal(await s.psubscribe(key('pattern:*')), 101);
    for (let i = 0; i < 100; i++) assert.equal(await r.publish(names[i], `message ${i}`), 1);
    assert.equal(await r.publish(key('pattern:x'), 'by pattern'), 1);
    await eventually('all have arrived', () => got.length === 101);
    const want = [...range(100, (i) => [names[i], `message ${i}`]), [key('pattern:*'), key('pattern:x'), 'by pattern']];
    sameSet(got.map(String), want.map(String));
    got.length = 0;
    await Promise.all(range(500, (i) => r.publish(names[7], i))); // those of one channel keep their order
    await eventually('500 have arrived', () => got.length === 500);
    assert.deepEqual(got, range(500, (i) => [names[7], `${i}`]));
    if (!cluster) { // the Cluster sends it elsewhere
      await assert.rejects(s.get('x'), /subscriber mode/); // the library's own error
      assert.deepEqual(await s.ping(), ['pong', '']); // as RESP2 answers a subscriber
      assert.deepEqual(await r.pubsub('NUMSUB', names[1], key('nobody')), [names[1], 1, key('nobody'), 0]);
      assert.equal((await r.pubsub('CHANNELS', key('channel:*'))).length, 100);
    }
    assert.equal(await s.unsubscribe(...names), 1);
    assert.equal(await s.punsubscribe(), 0);
    assert.equal(await r.publish(names[0], 'nobody hears'), 0);
    if (!cluster) assert.equal(await s.set(key('s'), 1), 'OK'); // an ordinary connection again
    const bytes = Buffer.from(range(256, (i) => i));
    const binary = new Promise((resolve) => { s.on('messageBuffer', (channel, message) => resolve([channel, message])); });
    await s.subscribe(key('bytes\0'));
    await r.publish(key('bytes\0'), bytes);
    assert.deepEqual(await binary, [Buffer.from(key('bytes\0')), bytes]);
  },

  // The library subscribes again by itself when its connection is lost.
  async reconnected() {
    const s = connect({ connectionName: 'to be lost', retryStrategy: () => 10 });
    s.on('error', () => {});
    const id = await s.client('ID');
    const got = [];
    s.on('message', (channel, message) => got.push(message));
    await s.subscribe(key('again'));
    await r.publish(key('again'), 'before');
    await eventually('it hears', () => got.includes('before'));
    const back = new Promise((resolve) => { s.once('ready', resolve); });
    assert.equal(await r.client('KILL', 'ID', id), 1);
    await back;
    await eventually('it hears again', async () => { await r.publish(key('again'), 'after'); return got.includes('after'); });
  },
};

if (cluster) delete families.reconnected; // its connections are not its clients'
run(families, () => Promise.all(opened.map((client) => client.quit())));
