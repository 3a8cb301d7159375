'use strict';
// node-redis through the proxy, as an application written for one Redis uses it. See families.js.

const assert = require('node:assert/strict');
const { createClient, createCluster, defineScript, RESP_TYPES } = require('redis');
const { options, prefix, key, pair, range, sameSet, run } = require('./families.js');

const { host, port, cluster, protocol } = options;
const socket = { host, port, connectTimeout: 60e3 };
const body = `-- ${prefix}\nreturn {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}`;
const scripts = {
  counted: defineScript({
    SCRIPT: body,
    NUMBER_OF_KEYS: 1,
    parseCommand(parser, k, arg) { parser.pushKey(k); parser.push(arg); },
    transformReply: undefined,
  }),
};
const settings = { RESP: protocol, name: 'node-redis-test' };
const r = cluster
  ? createCluster({ rootNodes: [{ socket }], defaults: settings, RESP: protocol, scripts })
  : createClient({ ...settings, socket, scripts });

// ask sends a command that the library has no method for, or none that tells enough.
const ask = (k, ...args) => (cluster ? r.sendCommand(k, false, args.map(String)) : r.sendCommand(args.map(String)));

const families = {
  async strings() {
    const k = key('s');
    assert.equal(await r.set(k, 'v', { expiration: { type: 'EX', value: 100 } }), 'OK');
    assert.equal(await r.get(k), 'v');
    assert.equal(await r.set(k, 'w', { condition: 'NX' }), null);
    assert.ok(await r.ttl(k) > 0);
    assert.equal(await r.append(k, 'xyz'), 4);
    assert.equal(await r.getRange(k, 1, 2), 'xy');
    assert.equal(await r.getDel(k), 'vxyz');
    assert.equal(await r.get(k), null);
    assert.equal(await r.incrBy(k, 41), 41);
    assert.equal(await r.incr(k), 42);
    const binary = Buffer.from(range(25600, (i) => i % 256));
    await r.set(key('bin\0\r\n'), binary);
    assert.deepEqual(await r.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).get(key('bin\0\r\n')), binary);
    await assert.rejects(r.lPush(k, 'x'), /WRONGTYPE/);
    const keys = range(50, (i) => key(`m${i}`));
    assert.equal(await r.mSet(keys.map((name, i) => [name, `${i}`])), 'OK');
    assert.deepEqual(await r.mGet([...keys, key('none')]), [...range(50, String), null]);
    assert.equal(await r.exists(keys), 50);
    assert.equal(await r.del(keys), 50);
  },

  async hashes() {
    const k = key('h');
    assert.equal(await r.hSet(k, { a: 1, b: 'two' }), 2);
    assert.deepEqual({ ...await r.hGetAll(k) }, { a: '1', b: 'two' });
    assert.deepEqual(await r.hmGet(k, ['a', 'none']), ['1', null]);
    assert.equal(await r.hIncrBy(k, 'a', 4), 5);
    assert.equal(await r.hDel(k, ['a', 'none']), 1);
    assert.deepEqual({ ...await r.hGetAll(key('none')) }, {});
  },

  async lists() {
    const [k, other] = pair('l', 'l2');
    assert.equal(await r.rPush(k, ['a', 'b', 'c']), 3);
    assert.deepEqual(await r.lRange(k, 0, -1), ['a', 'b', 'c']);
    assert.deepEqual(await r.lPopCount(k, 2), ['a', 'b']);
    assert.equal(await r.lMove(k, other, 'LEFT', 'RIGHT'), 'c');
    assert.equal(await r.lPop(k), null);
  },

  async sets() {
    const [a, b] = pair('sa', 'sb');
    assert.equal(await r.sAdd(a, ['1', '2', '3']), 3);
    await r.sAdd(b, ['2', '3', '4']);
    sameSet(await r.sMembers(a), ['1', '2', '3']);
    sameSet(await r.sInter([a, b]), ['2', '3']);
    assert.deepEqual((await r.smIsMember(a, ['1', '9'])).map(Boolean), [true, false]);
    assert.equal(await r.sRem(a, '1'), 1);
  },

  async sortedsets() {
    const k = key('z');
    const inf = { value: 'inf', score: Infinity };
    assert.equal(await r.zAdd(k, [{ value: 'one', score: 1 }, { value: 'half', score: 0.5 }, inf]), 3);
    assert.deepEqual((await r.zRangeWithScores(k, 0, -1)).map((m) => ({ ...m })),
      [{ value: 'half', score: 0.5 }, { value: 'one', score: 1 }, inf]);
    assert.equal(await r.zScore(k, 'half'), 0.5);
    assert.equal(await r.zIncrBy(k, 2, 'one'), 3);
    assert.deepEqual(await r.zRangeByScore(k, '(0.5', 10), ['one']);
    assert.deepEqual({ ...await r.zPopMin(k) }, { value: 'half', score: 0.5 });
  },

  async streams() {
    const k = key('x');
    const plain = (entries) => entries.map(({ id, message }) => [id, { ...message }]);
    assert.equal(await r.xAdd(k, '1-1', { f: '1' }), '1-1');
    assert.equal(await r.xAdd(k, '2-1', { f: '2' }), '2-1');
    assert.deepEqual(plain(await r.xRange(k, '-', '+')), [['1-1', { f: '1' }], ['2-1', { f: '2' }]]);
    if (protocol === 2) { // the library leaves the map of RESP3 as it is
      const [{ name, messages }] = await r.xRead({ key: k, id: '1-1' });
      assert.deepEqual([name, plain(messages)], [k, [['2-1', { f: '2' }]]]);
    }
    assert.equal(await r.xGroupCreate(k, 'g', '0'), 'OK');
    await assert.rejects(r.xGroupCreate(k, 'g', '0'), /BUSYGROUP/);
    const read = await ask(k, 'XREADGROUP', 'GROUP', 'g', 'me', 'COUNT', 1, 'STREAMS', k, '>');
    const entries = [['1-1', ['f', '1']]];
    assert.deepEqual(protocol === 3 ? { ...read } : read, protocol === 3 ? { [k]: entries } : [[k, entries]]);
    assert.equal((await r.xPending(k, 'g')).pending, 1);
    assert.equal(await r.xAck(k, 'g', '1-1'), 1);
    assert.equal((await r.xInfoStream(k)).length, 2);
  },

  async scripts() {
    const k = key('script');
    await assert.rejects(r.evalSha('0'.repeat(40), { keys: [k] }), /NOSCRIPT No matching script/);
    assert.deepEqual(await r.counted(k, 'a'), [k, 'a', 1]); // EVALSHA, and EVAL where that finds nothing
    assert.deepEqual(await r.eval(body, { keys: [k], arguments: ['b'] }), [k, 'b', 2]);
    for (let i = 0; i < 20; i++) { // on all primaries
      assert.deepEqual(await r.counted(key(`script${i}`), 'a'), [key(`script${i}`), 'a', 1]);
    }
    const sha = await ask(undefined, 'SCRIPT', 'LOAD', body + ' ');
    assert.deepEqual(await ask(undefined, 'SCRIPT', 'EXISTS', sha, '0'.repeat(40)), [1, 0]);
    const replies = await Promise.all(range(20, (i) => r.evalSha(sha, { keys: [key(`script${i}`)], arguments: ['c'] })));
    assert.deepEqual(replies, range(20, (i) => [key(`script${i}`), 'c', 2]));
    await ask(undefined, 'SCRIPT', 'FLUSH');
    await assert.rejects(r.evalSha(sha, { keys: [k] }), /NOSCRIPT/);
    assert.deepEqual(await r.counted(k, 'd'), [k, 'd', 3]);
    await assert.rejects(r.eval("return redis.error_reply('my error')", { keys: [k] }), /my error/);
  },

  async scan() {
    const want = range(300, (i) => key(`scan:${i}`));
    await Promise.all(want.map((k, i) => r.set(k, i)));
    const hashed = key('scan:hash');
    await r.hSet(hashed, Object.fromEntries(range(1000, (i) => [`f${i}`, i])));
    const node = cluster ? await r.nodeClient(r.masters[0]) : r; // the cluster client itself has no iterator
    const walk = async (iterator) => {
      const all = [];
      for await (const some of iterator) all.push(...some);
      return all;
    };
    sameSet(await walk(node.scanIterator({ MATCH: key('scan:*'), COUNT: 100 })), [...want, hashed]);
    sameSet(await walk(node.scanIterator({ MATCH: key('scan:*'), TYPE: 'string', COUNT: 500 })), want);
    const entries = await walk(node.hScanIterator(hashed, { COUNT: 10 }));
    sameSet(entries.map(({ field, value }) => field + value), range(1000, (i) => `f${i}${i}`));
    await r.sAdd(key('set'), range(1000, (i) => `member ${i}`));
    sameSet(await walk(node.sScanIterator(key('set'), { MATCH: 'member*' })), range(1000, (i) => `member ${i}`));
    sameSet(await node.keys(key('scan:*')), [...want, hashed]);
    assert.ok(await node.dbSize() >= want.length);
  },

  async pipelines() {
    // Commands of one tick are a pipeline, and so is execAsPipeline.
    const got = await Promise.all(range(500, (i) => [
      r.set(key(`p:${i}`), i), r.get(key(`p:${i}`)), r.hSet(key(`p:${i}h`), 'f', i), r.hGet(key(`p:${i}h`), 'f'),
    ]).flat());
    assert.deepEqual(got, range(500, (i) => ['OK', `${i}`, 1, `${i}`]).flat());
    const pipe = r.multi();
    for (let i = 0; i < 500; i++) pipe.set(key(`p:${i}`), i + 1).get(key(`p:${i}`));
    assert.deepEqual(await pipe.execAsPipeline(), range(500, (i) => ['OK', `${i + 1}`]).flat());
  },

  async server() {
    const k = key('object');
    await r.set(k, '1', { expiration: { type: 'EX', value: 100 } });
    assert.equal(await r.type(k), 'string');
    assert.equal(await r.objectEncoding(k), 'int');
    assert.ok(await r.memoryUsage(k) > 0);
    const node = cluster ? await r.nodeClient(r.masters[0]) : r;
    assert.equal(await node.ping(), 'PONG');
    assert.match(await node.info(), /redis_version:\d+\./);
    assert.equal((await node.configGet('databases')).databases, '1');
    assert.ok((await node.clientList()).length >= 1);
    assert.ok((await node.command()).length > 200);
    if (cluster) { // it knows one node, the proxy
      assert.deepEqual(r.masters.map((m) => m.port), [port]);
      assert.match(await node.clusterInfo(), /cluster_state:ok/);
      return;
    }
    assert.equal(await r.clientGetName(), 'node-redis-test');
    assert.equal((await r.clientInfo()).name, 'node-redis-test');
  },
};

r.on('error', (err) => { throw err; }); // nothing here may lose its connection
r.connect().then(() => run(families, () => r.close()));
