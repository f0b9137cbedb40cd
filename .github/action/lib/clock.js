// Time. It is the computer's; for this repository's tests it is that of their
// sandbox, under the same condition as in the program (src/time.rs): only where
// EC2's address is loopback.
'use strict';

const ADDRESS = process.env.INDUCTIVA_AWS_TEST_CLOCK;
const EC2 = process.env.AWS_ENDPOINT_URL_EC2 || process.env.AWS_ENDPOINT_URL;

function isLoopback(address) {
  try {
    return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(address).hostname);
  } catch {
    return false;
  }
}

const isATests = isLoopback(ADDRESS) && isLoopback(EC2);

/** Seconds since 1970. */
async function now() {
  if (!isATests) return Date.now() / 1000;
  return (await ask('')) / 1e6;
}

async function pause(seconds) {
  if (!isATests) {
    await new Promise((done) => setTimeout(done, seconds * 1000));
    return;
  }
  await ask(`/pause/${Math.round((await ask('')) + seconds * 1e6)}`);
}

/** Every answer of a clock that stands says its time, in microseconds. */
async function ask(what) {
  const answer = await fetch(`${ADDRESS}${what}`);
  await answer.arrayBuffer();
  return Number(answer.headers.get('x-sandbox-clock').split(' ')[0]);
}

module.exports = { now, pause };
