'use strict';
// ioredis through the proxy, as an application written for one Redis uses it. See families.js.

const assert = require('node:assert/strict');
const Redis = require('ioredis');
const { options, prefix, key, pair, range, sameSet, run } = require('./families.js');

const { host, port, cluster } = options;
const settings = { connectionName: 'ioredis-test', connectTimeout: 60e3 };
const r = cluster
  ? new Redis.Cluster([{ host, port }], { redisOptions: settings, slotsRefreshTimeout: 60e3 })
  : new Redis({ host, port, ...settings });

const families = {
  async strings() {
    const k = key('s');
    assert.equal(await r.set(k, 'v', 'EX', 100), 'OK');
    assert.equal(await r.get(k), 'v');
    assert.equal(await r.set(k, 'w', 'NX'), null);
    assert.ok(await r.ttl(k) > 0);
    assert.equal(await r.append(k, 'xyz'), 4);
    assert.equal(await r.getrange(k, 1, 2), 'xy');
    assert.equal(await r.getdel(k), 'vxyz');
    assert.equal(await r.get(k), null);
    assert.equal(await r.incrby(k, 41), 41);
    assert.equal(await r.incr(k), 42);
    const binary = Buffer.from(range(25600, (i) => i % 256));
    await r.set(key('bin\0\r\n'), binary);
    assert.deepEqual(await r.getBuffer(key('bin\0\r\n')), binary);
    await assert.rejects(r.lpush(k, 'x'), /WRONGTYPE/);
    const keys = range(50, (i) => key(`m${i}`));
    assert.equal(await r.mset(Object.fromEntries(keys.map((name, i) => [name, i]))), 'OK');
    assert.deepEqual(await r.mget(...keys, key('none')), [...range(50, String), null]);
    assert.equal(await r.exists(...keys), 50);
    assert.equal(await r.del(...keys), 50);
  },

  async hashes() {
    const k = key('h');
    assert.equal(await r.hset(k, { a: 1, b: 'two' }), 2);
    assert.deepEqual(await r.hgetall(k), { a: '1', b: 'two' });
    assert.deepEqual(await r.hmget(k, 'a', 'none'), ['1', null]);
    assert.equal(await r.hincrby(k, 'a', 4), 5);
    assert.equal(await r.hdel(k, 'a', 'none'), 1);
    assert.deepEqual(await r.hgetall(key('none')), {});
  },

  async lists() {
    const [k, other] = pair('l', 'l2');
    assert.equal(await r.rpush(k, 'a', 'b', 'c'), 3);
    assert.deepEqual(await r.lrange(k, 0, -1), ['a', 'b', 'c']);
    assert.deepEqual(await r.lpop(k, 2), ['a', 'b']);
    assert.equal(await r.lmove(k, other, 'LEFT', 'RIGHT'), 'c');
    assert.equal(await r.lpop(k), null);
  },

  async sets() {
    const [a, b] = pair('sa', 'sb');
    assert.equal(await r.sadd(a, '1', '2', '3'), 3);
    await r.sadd(b, '2', '3', '4');
    sameSet(await r.smembers(a), ['1', '2', '3']);
    sameSet(await r.sinter(a, b), ['2', '3']);
    assert.deepEqual(await r.smismember(a, '1', '9'), [1, 0]);
    assert.equal(await r.srem(a, '1'), 1);
  },

  async sortedsets() {
    const k = key('z');
    assert.equal(await r.zadd(k, 1, 'one', 0.5, 'half', '+inf', 'inf'), 3);
    assert.deepEqual(await r.zrange(k, 0, -1, 'WITHSCORES'), ['half', '0.5', 'one', '1', 'inf', 'inf']);
    assert.equal(await r.zscore(k, 'half'), '0.5');
    assert.equal(await r.zincrby(k, 2, 'one'), '3');
    assert.deepEqual(await r.zrangebyscore(k, '(0.5', 10), ['one']);
    assert.deepEqual(await r.zpopmin(k), ['half', '0.5']);
  },

  async streams() {
    const k = key('x');
    assert.equal(await r.xadd(k, '1-1', 'f', '1'), '1-1');
    assert.equal(await r.xadd(k, '2-1', 'f', '2'), '2-1');
    assert.deepEqual(await r.xrange(k, '-', '+'), [['1-1', ['f', '1']], ['2-1', ['f', '2']]]);
    assert.deepEqual(await r.xread('STREAMS', k, '1-1'), [[k, [['2-1', ['f', '2']]]]]);
    assert.equal(await r.xgroup('CREATE', k, 'g', '0'), 'OK');
    await assert.rejects(r.xgroup('CREATE', k, 'g', '0'), /BUSYGROUP/);
    assert.deepEqual(await r.xreadgroup('GROUP', 'g', 'me', 'COUNT', 1, 'STREAMS', k, '>'), [[k, [['1-1', ['f', '1']]]]]);
    assert.deepEqual(await r.xpending(k, 'g'), [1, '1-1', '1-1', [['me', '1']]]);
    assert.equal(await r.xack(k, 'g', '1-1'), 1);
    assert.equal((await r.xinfo('STREAM', k))[1], 2);
  },

  async scripts() {
    const k = key('script');
    const body = `-- ${prefix}\nreturn {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}`;
    await assert.rejects(r.evalsha('0'.repeat(40), 1, k), /NOSCRIPT No matching script/);
    r.defineCommand('counted', { numberOfKeys: 1, lua: body }); // EVALSHA, and EVAL where that finds nothing
    assert.deepEqual(await r.counted(k, 'a'), [k, 'a', 1]);
    assert.deepEqual(await r.eval(body, 1, k, 'b'), [k, 'b', 2]);
    for (let i = 0; i < 20; i++) { // on all primaries
      assert.deepEqual(await r.counted(key(`script${i}`), 'a'), [key(`script${i}`), 'a', 1]);
    }
    const replies = await Promise.all(range(20, (i) => r.counted(key(`script${i}`), 'b')));
    assert.deepEqual(replies, range(20, (i) => [key(`script${i}`), 'b', 2]));
    const sha = await r.script('LOAD', body + ' ');
    assert.deepEqual(await r.script('EXISTS', sha, '0'.repeat(40)), [1, 0]);
    for (let i = 0; i < 20; i++) {
      assert.deepEqual(await r.evalsha(sha, 1, key(`script${i}`), 'c'), [key(`script${i}`), 'c', 3]);
    }
    await r.script('FLUSH');
    await assert.rejects(r.evalsha(sha, 1, k), /NOSCRIPT/);
    assert.deepEqual(await r.counted(k, 'd'), [k, 'd', 3]);
    await r.script('FLUSH'); // a pipeline asks which scripts exist, and loads the others
    assert.deepEqual(await r.pipeline().counted(k, 'e').counted(k, 'f').exec(), [[null, [k, 'e', 4]], [null, [k, 'f', 5]]]);
    await assert.rejects(r.eval("return redis.error_reply('my error')", 1, k), /my error/);
  },

  async scan() {
    const want = range(300, (i) => key(`scan:${i}`));
    await Promise.all(want.map((k, i) => r.set(k, i)));
    const hashed = key('scan:hash');
    await r.hset(hashed, Object.fromEntries(range(1000, (i) => [`f${i}`, i])));
    const node = cluster ? r.nodes('master')[0] : r; // the Cluster itself has no scanStream
    const walk = async (stream) => {
      const all = [];
      for await (const some of stream) all.push(...some);
      return all;
    };
    sameSet(await walk(node.scanStream({ match: key('scan:*'), count: 100 })), [...want, hashed]);
    sameSet(await walk(node.scanStream({ match: key('scan:*'), type: 'string', count: 500 })), want);
    sameSet(await walk(r.hscanStream(hashed, { count: 10 })), range(1000, (i) => [`f${i}`, `${i}`]).flat());
    await r.sadd(key('set'), range(1000, (i) => `member ${i}`));
    sameSet(await walk(r.sscanStream(key('set'), { match: 'member*' })), range(1000, (i) => `member ${i}`));
    sameSet(await node.keys(key('scan:*')), [...want, hashed]);
    assert.ok(await node.dbsize() >= want.length);
  },

  async pipelines() {
    const pipe = r.pipeline();
    const want = [];
    for (let i = 0; i < 500; i++) {
      pipe.set(key(`p:${i}`), i).get(key(`p:${i}`)).hset(key(`p:${i}h`), 'f', i).hgetall(key(`p:${i}h`));
      want.push([null, 'OK'], [null, `${i}`], [null, 1], [null, { f: `${i}` }]);
    }
    assert.deepEqual(await pipe.exec(), want); // also the Cluster's: one node has all slots
    const [a, b] = pair('p', 'q');
    const [one, wrong, two] = await r.pipeline().set(a, '1').lpush(a, 'x').get(b).exec();
    assert.deepEqual([one, two], [[null, 'OK'], [null, null]]);
    assert.match(wrong[0].message, /WRONGTYPE/);
  },

  async server() {
    assert.equal(await r.ping(), 'PONG');
    assert.match(await r.info(), /redis_version:\d+\./);
    const k = key('object');
    await r.set(k, '1', 'EX', 100);
    assert.equal(await r.type(k), 'string');
    assert.equal(await r.object('ENCODING', k), 'int');
    assert.ok(await r.memory('USAGE', k) > 0);
    if (cluster) { // it knows one node, the proxy
      assert.deepEqual(r.nodes().map((node) => node.options.port), [port]);
      assert.match(await r.cluster('INFO'), /cluster_state:ok/);
      return;
    }
    assert.equal(r.serverInfo?.redis_mode ?? 'standalone', 'standalone');
    assert.equal(await r.client('GETNAME'), 'ioredis-test');
    assert.match(await r.client('LIST'), / name=ioredis-test /);
    assert.deepEqual(await r.config('GET', 'databases'), ['databases', '1']);
    assert.ok(await r.command('COUNT') > 200);
  },
};

run(families, () => r.quit());
