'use strict';
// node-redis with its cache on, which CLIENT TRACKING keeps right. See families.js.

const assert = require('node:assert/strict');
const { createClient, BasicClientSideCache } = require('redis');
const { options, key, range, run, eventually } = require('./families.js');

const socket = { host: options.host, port: options.port, connectTimeout: 60e3 };
const cache = new BasicClientSideCache({ ttl: 0, maxEntries: 0 }); // nothing grows too old by itself
const caching = createClient({ socket, RESP: 3, clientSideCache: cache });
const other = createClient({ socket });

// reads waits until the caching client reads that.
const reads = (k, want) => eventually(`${k} is ${want}`, async () => (await caching.get(k)) === want);

const families = {
  async invalidated() {
    const k = key('k');
    assert.equal(await caching.get(k), null);
    await other.set(k, '1');
    await reads(k, '1');
    const { hitCount } = cache.stats();
    for (let i = 0; i < 10; i++) assert.equal(await caching.get(k), '1');
    assert.equal(cache.stats().hitCount, hitCount + 10); // nobody was asked
    await caching.set(k, '2');
    await reads(k, '2');
    await other.del(k);
    await reads(k, null);
    const h = key('h');
    assert.deepEqual({ ...await caching.hGetAll(h) }, {});
    await other.hSet(h, { a: '1' });
    await eventually('a hash', async () => (await caching.hGet(h, 'a')) === '1');
  },

  // Readers and writers at once: in the end the cache has what was written last.
  async many() {
    const keys = range(40, (i) => key(`m${i}`));
    let writing = true;
    const reader = async () => {
      while (writing) {
        await Promise.all(range(10, () => caching.get(keys[Math.floor(Math.random() * 40)])));
        await new Promise(setImmediate); // what comes from the cache lets nothing else be heard
      }
    };
    const readers = range(4, reader);
    for (let i = 0; i < 400; i++) await other.incr(keys[Math.floor(Math.random() * 40)]);
    writing = false;
    await Promise.all(readers);
    for (const k of keys) await reads(k, await other.get(k));
    const stats = cache.stats();
    assert.ok(stats.hitCount > 0 && stats.missCount > 40, JSON.stringify(stats));
  },

  async batches() {
    const keys = range(30, (i) => key(`b${i}`));
    await other.mSet(keys.map((k) => [k, 'a']));
    assert.deepEqual(await caching.mGet(keys), range(30, () => 'a'));
    await other.mSet(keys.map((k) => [k, 'b']));
    await eventually('all are b', async () => (await caching.mGet(keys)).every((v) => v === 'b'));
    assert.deepEqual(await caching.multi().set(keys[0], 'c').get(keys[0]).exec(), ['OK', 'c']);
    await reads(keys[0], 'c');
  },
};

(async () => {
  await caching.connect();
  await other.connect();
  await run(families, async () => {
    await caching.close();
    await other.close();
  });
})();
