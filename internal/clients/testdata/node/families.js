'use strict';
// What the programs of both libraries share: their arguments, and the run of their families.
//
// PROGRAM.js standalone|cluster HOST:PORT PROTOCOL PREFIX

const assert = require('node:assert/strict');

const [mode, addr, protocol, prefix] = process.argv.slice(2);
const colon = addr.lastIndexOf(':');

const options = {
  cluster: mode === 'cluster',
  host: addr.slice(0, colon),
  port: Number(addr.slice(colon + 1)),
  protocol: Number(protocol),
};

// key returns a key of this run.
const key = (name) => prefix + name;

// pair returns two keys of one slot, as an application for clusters names them.
const pair = (a, b) => [`{${prefix}}${a}`, `{${prefix}}${b}`];

// range returns what f makes of 0 to n-1.
const range = (n, f) => Array.from({ length: n }, (_, i) => f(i));

// sameSet asserts that two lists have the same elements, in any order and however often.
const sameSet = (got, want) => assert.deepEqual(new Set(got), new Set(want));

// run calls the families in their order, and says so after each. A failure ends the process with a status other than 0, also
// one that nobody awaits.
async function run(families, close) {
  for (const [name, family] of Object.entries(families)) {
    await family();
    console.log('family', name);
  }
  await close();
}

module.exports = { options, prefix, key, pair, range, sameSet, run };
