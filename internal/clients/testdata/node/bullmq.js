'use strict';
// BullMQ, as its users run it. All keys of a queue must lie in one slot, so the prefix has a hash tag, as for any cluster.
// See families.js.

const assert = require('node:assert/strict');
const { Queue, Worker, QueueEvents, FlowProducer, UnrecoverableError } = require('bullmq');
const { options, prefix, range, sameSet, run, eventually } = require('./families.js');

const connection = { host: options.host, port: options.port, connectTimeout: 60e3 };
const settings = { connection, prefix: `{${prefix}bull}` };
const opened = [];

// open keeps what has to be closed at the end.
const open = (thing) => {
  thing.on('error', (err) => { throw err; });
  opened.push(thing);
  return thing;
};
const queue = (name) => open(new Queue(name, settings));
const worker = (name, work, more) => open(new Worker(name, work, { ...settings, ...more }));

// events are a queue's, from now on.
const events = async (name) => {
  const e = open(new QueueEvents(name, settings));
  await e.waitUntilReady();
  return e;
};

const families = {
  // Many jobs for several workers, while they are added: each is done exactly once.
  async counted() {
    const q = queue('counted');
    const done = new Map();
    let together = 0;
    let most = 0;
    const work = async (job) => {
      together++;
      most = Math.max(most, together);
      done.set(job.data.n, (done.get(job.data.n) ?? 0) + 1);
      await eventually('more than ten jobs are done at once', () => most > 10);
      together--;
      return job.data.n * 2;
    };
    for (let i = 0; i < 3; i++) worker('counted', work, { concurrency: 10 });
    const e = await events('counted');
    const completed = new Set();
    e.on('completed', ({ jobId, returnvalue }) => completed.add(`${jobId} ${returnvalue}`));
    for (let from = 0; from < 500; from += 50) {
      await q.addBulk(range(50, (i) => ({ name: 'job', data: { n: from + i }, opts: { jobId: `job-${from + i}` } })));
    }
    await eventually('500 jobs are told as completed', () => completed.size === 500);
    assert.deepEqual([...done.entries()].sort(([a], [b]) => a - b), range(500, (i) => [i, 1]));
    sameSet(completed, range(500, (i) => `job-${i} ${i * 2}`));
    assert.deepEqual(await q.getJobCounts('wait', 'active', 'completed', 'failed'), { wait: 0, active: 0, completed: 500, failed: 0 });
    const job = await q.add('last', { n: 21 });
    assert.equal(await job.waitUntilFinished(e), 42);
    await eventually('there are three workers', async () => (await q.getWorkers()).length === 3); // by CLIENT LIST
  },

  async delayed() {
    const q = queue('delayed');
    const order = [];
    const begun = Date.now();
    await q.add('third', {}, { delay: 600, timestamp: begun }); // all from one moment on, however late this program is
    await q.add('second', {}, { delay: 300, timestamp: begun });
    await q.add('first', {}, { timestamp: begun });
    const never = await q.add('never', {}, { delay: 3600e3 });
    worker('delayed', async (job) => { order.push([job.name, Date.now() - begun]); });
    await eventually('three jobs are done', () => order.length === 3);
    assert.deepEqual(order.map(([name]) => name), ['first', 'second', 'third']);
    assert.ok(order[1][1] >= 300 && order[2][1] >= 600, `${order}`);
    assert.equal(await never.getState(), 'delayed');
    await never.promote();
    await eventually('the promoted one is done', () => order.length === 4);
  },

  async priorities() {
    const q = queue('priorities');
    await q.addBulk([5, 1, 3, 2, 4].map((priority) => ({ name: `p${priority}`, data: {}, opts: { priority } })));
    await q.add('lifo', {}, { lifo: true });
    const order = [];
    worker('priorities', async (job) => { order.push(job.name); }, { concurrency: 1 });
    await eventually('six jobs are done', () => order.length === 6);
    assert.deepEqual(order, ['lifo', 'p1', 'p2', 'p3', 'p4', 'p5']);
  },

  async repeated() {
    const q = queue('repeated');
    const seen = [];
    worker('repeated', async (job) => { seen.push(job.name); });
    await q.upsertJobScheduler('often', { every: 200 }, { name: 'tick', data: { a: 1 } });
    await q.upsertJobScheduler('rarely', { pattern: '0 0 3 1 1 *' }, { name: 'year' });
    await eventually('it was repeated', () => seen.length >= 3);
    assert.deepEqual((await q.getJobSchedulers()).map((s) => s.key).sort(), ['often', 'rarely']);
    assert.equal(await q.removeJobScheduler('often'), true);
    sameSet(seen, ['tick']);
  },

  async retried() {
    const q = queue('retried');
    const e = await events('retried');
    const attempts = {};
    worker('retried', async (job) => {
      attempts[job.name] = (attempts[job.name] ?? 0) + 1;
      if (job.name === 'hopeless') throw new UnrecoverableError('no use');
      if (job.name === 'always' || attempts[job.name] < 3) throw new Error('not yet');
      return 'at last';
    });
    const backoff = { type: 'exponential', delay: 20 };
    const third = await q.add('third', {}, { attempts: 5, backoff });
    const always = await q.add('always', {}, { attempts: 3, backoff: 10 });
    const hopeless = await q.add('hopeless', {}, { attempts: 3 });
    assert.equal(await third.waitUntilFinished(e), 'at last');
    await assert.rejects(always.waitUntilFinished(e), /not yet/);
    await assert.rejects(hopeless.waitUntilFinished(e), /no use/);
    assert.deepEqual(attempts, { third: 3, always: 3, hopeless: 1 });
    sameSet((await q.getFailed()).map((job) => job.name), ['always', 'hopeless']);
    await q.retryJobs();
    await eventually('they were tried again', () => attempts.always === 4 && attempts.hopeless === 2);
  },

  // A parent's children lie in two queues.
  async flows() {
    const flow = open(new FlowProducer(settings));
    const parents = queue('parents');
    const e = await events('parents');
    const work = async (job) => (job.name === 'bad' ? Promise.reject(new Error('bad child')) : job.data.n);
    worker('children', work, { concurrency: 5 });
    worker('others', work);
    worker('parents', async (job) => {
      const values = Object.values(await job.getChildrenValues());
      return values.reduce((sum, n) => sum + n, 0);
    });
    const child = (queueName, n) => ({ name: 'child', queueName, data: { n } });
    const tree = await flow.add({
      name: 'sum', queueName: 'parents', children: [
        ...range(20, (n) => child(n % 2 ? 'children' : 'others', n)),
        { name: 'inner', queueName: 'parents', children: [child('children', 1000), child('others', 2000)] },
      ],
    });
    assert.equal(tree.children.length, 21);
    assert.equal(await tree.job.waitUntilFinished(e), 190 + 3000);
    const failing = await flow.add({
      name: 'failing', queueName: 'parents',
      children: [{ name: 'bad', queueName: 'children', opts: { failParentOnFailure: true } }, child('others', 1)],
    });
    await assert.rejects(failing.job.waitUntilFinished(e), /failed/);
    assert.equal(await (await parents.getJob(tree.job.id)).getState(), 'completed');
  },

  async paused() {
    const q = queue('paused');
    const e = await events('paused');
    const told = [];
    for (const name of ['paused', 'resumed', 'progress', 'removed', 'delayed']) e.on(name, () => told.push(name));
    let done = 0;
    const w = worker('paused', async (job) => { await job.updateProgress(50); await job.log('a line'); done++; });
    await w.waitUntilReady();
    await q.pause();
    const jobs = await q.addBulk(range(5, (n) => ({ name: 'job', data: { n } })));
    assert.equal(await q.isPaused(), true);
    assert.equal(await q.count(), 5);
    await jobs[0].remove();
    assert.equal(await q.getJob(jobs[0].id), undefined);
    assert.equal(done, 0);
    await q.resume();
    await eventually('the others are done', () => done === 4);
    await eventually('all of it was told', () => ['paused', 'resumed', 'progress', 'removed'].every((name) => told.includes(name)));
    assert.deepEqual((await q.getJobLogs(jobs[1].id)).logs, ['a line']);
    await w.pause();
    await q.add('job', {});
    await w.resume();
    await eventually('a worker goes on too', () => done === 5);
    await q.add('later', {}, { delay: 3600e3 });
    await q.drain(true);
    assert.equal(await q.count(), 0);
    await eventually('the last is no longer active', async () => await q.getActiveCount() === 0);
    assert.equal((await q.clean(0, 100, 'completed')).length, 5);
  },

  async limited() {
    const q = queue('limited');
    const at = [];
    let begun = Infinity; // no later than the first of them is
    worker('limited', async (job) => { begun = Math.min(begun, job.processedOn); at.push(Date.now()); }, { limiter: { max: 2, duration: 300 }, concurrency: 5 });
    await q.addBulk(range(5, (n) => ({ name: 'job', data: { n } })));
    await q.add('once', {}, { deduplication: { id: 'same' }, delay: 50 });
    await q.add('once', {}, { deduplication: { id: 'same' }, delay: 50 });
    await eventually('six jobs are done', () => at.length === 6);
    assert.ok(at[5] - begun >= 550, `six jobs took ${at[5] - begun} ms`);
  },

  // A worker that dies holding a job: another one takes it over.
  async stalled() {
    const q = queue('stalled');
    const dead = new Worker('stalled', () => new Promise(() => {}), { ...settings, lockDuration: 300, skipStalledCheck: true });
    dead.on('error', () => {});
    await q.add('job', { n: 7 });
    await eventually('it is active', async () => await q.getActiveCount() === 1);
    await dead.close(true);
    const done = [];
    worker('stalled', async (job) => { done.push(job.data.n); }, { stalledInterval: 200 });
    await eventually('another one did it', () => done.length > 0);
    assert.deepEqual(done, [7]);
  },

  // Workers that wait for jobs close at once, and queues leave nothing behind.
  async closed() {
    const queues = opened.filter((thing) => thing instanceof Queue);
    await Promise.all(opened.filter((thing) => thing instanceof Worker).map((w) => w.close()));
    for (const q of queues) await q.obliterate({ force: true });
    await Promise.all(opened.map((thing) => thing.close()));
  },

  // Without a hash tag a cluster cannot have the keys of one queue, and the proxy says so.
  async untagged() {
    const q = new Queue('untagged', { connection, prefix: `${prefix}bull` });
    q.on('error', () => {});
    const adding = q.add('job', {});
    if (options.proxied) await assert.rejects(adding, /CROSSSLOT Keys in request don't hash to the same slot/);
    else await adding;
    await q.close();
  },
};

run(families, async () => {});
