'use strict';
// What the programs share: their arguments, and the run of their families.
//
// PROGRAM.js standalone|cluster HOST:PORT PROTOCOL PREFIX plain|proxy

const assert = require('node:assert/strict');

const [mode, addr, protocol, prefix, at] = process.argv.slice(2);
const colon = addr.lastIndexOf(':');

const options = {
  cluster: mode === 'cluster',
  host: addr.slice(0, colon),
  port: Number(addr.slice(colon + 1)),
  protocol: Number(protocol),
  proxied: at === 'proxy', // else a plain redis-server
};

// key returns a key of this run.
const key = (name) => prefix + name;

// pair returns two keys of one slot, as an application for clusters names them.
const pair = (a, b) => [`{${prefix}}${a}`, `{${prefix}}${b}`];

// range returns what f makes of 0 to n-1.
const range = (n, f) => Array.from({ length: n }, (_, i) => f(i));

// sameSet asserts that two lists have the same elements, in any order and however often.
const sameSet = (got, want) => assert.deepEqual(new Set(got), new Set(want));

// eventually waits until the condition, which may be a promise's, is true.
async function eventually(what, condition) {
  const deadline = Date.now() + 60e3;
  while (!await condition()) {
    assert.ok(Date.now() < deadline, `not within 60 s: ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
}

// run calls the families in their order, and says so after each. A failure ends the process with a status other than 0, also
// one that nobody awaits.
async function run(families, close) {
  for (const [name, family] of Object.entries(families)) {
    await family();
    console.log('family', name);
  }
  await close();
}

module.exports = { options, prefix, key, pair, range, sameSet, eventually, run };
