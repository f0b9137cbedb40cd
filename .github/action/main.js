// Launches the group. All that post needs is saved before: this process may be
// killed at any line.
'use strict';

const crypto = require('node:crypto');
const path = require('node:path');

const clock = require('./lib/clock');
const program = require('./lib/program');
const runner = require('./lib/runner');
const summary = require('./lib/summary');

// Of what `start` says, when it fails: a machine's last lines on its console are in it.
const LINES_SHOWN = 60;
const WAITS = { registered: ['--wait=registered'], running: ['--wait=running'], false: [] };

/** The signals that a cancelled job's step gets; `start` gets them handed on. */
let child = null;
let cancelled = false;
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    cancelled = true;
    child?.kill(signal);
  });
}

/** A name that no other step has: job, run and attempt are the same in all legs of a
 * matrix, and for two uses of this action in one job. */
function newGroup() {
  const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';
  const random = Array.from({ length: 8 }, () => letters[crypto.randomInt(letters.length)]).join('');
  return `ci-${process.env.GITHUB_RUN_ID}-${process.env.GITHUB_RUN_ATTEMPT}-${random}`;
}

function startOptions(group) {
  const wait = WAITS[runner.input('wait') || 'registered'];
  if (!wait) throw new Error(`wait: ${runner.input('wait')} is none of ${Object.keys(WAITS).join(', ')}`);
  // With `=`, no value can pass for an option.
  const given = ['vm-type', 'num-machines', 'max-cost', 'max-lifetime']
    .filter((name) => runner.input(name))
    .map((name) => `--${name}=${runner.input(name)}`);
  return [`--machine-group-name=${group}`, ...given, ...wait];
}

async function main() {
  const { AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, INDUCTIVA_API_KEY } = process.env;
  [runner.input('api-key'), AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, INDUCTIVA_API_KEY]
    .forEach((secret) => secret && runner.mask(secret));

  const group = newGroup();
  let region = runner.input('region') || process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION || '';
  runner.save({ group, region });
  runner.output({ group, region });
  const options = startOptions(group);

  const folder = path.join(process.env.RUNNER_TEMP, `inductiva-aws-${group}`);
  const installed = await program.install(folder);
  runner.save({ program: installed });
  const env = program.environment();

  // From here on there may be machines.
  runner.save({ start: 'begun' });
  if (cancelled) {
    runner.save({ start: 'never' });
    throw new Error('cancelled before anything was launched');
  }
  const ids = new Set();
  const ended = await runner.withoutCommands(() => program.run(
    installed,
    ['start', ...options, ...program.options(region)],
    {
      env,
      started: (started) => {
        child = started;
        // A signal that came before there was a process to hand it on to.
        if (cancelled) child.kill('SIGINT');
      },
      line: (line) => {
        runner.say(line);
        if (!line.startsWith('launched ')) return;
        // Types and numbers stand between the ids.
        line.match(/\bi-[0-9a-f]+\b/g)?.forEach((id) => ids.add(id));
        runner.save({ machines: [...ids].join(' ') });
      },
    },
  ));
  child = null;
  runner.save({ start: ended.code === null ? 'killed' : String(ended.code), ended: String(await clock.now()) });

  const report = program.parsed(ended.stdout);
  const failure = program.failure(ended.stderr);
  if (report) region = report.region;
  const machines = report?.machines.map((machine) => machine.instance_id) ?? failure?.machines ?? [];
  machines.forEach((id) => ids.add(id));
  runner.save({ region, machines: [...ids].join(' ') });
  runner.output({
    region,
    'instance-ids': JSON.stringify(machines),
    cost: String(report?.cost.usd_per_hour ?? ''),
  });
  if (ended.code === 0 && report) {
    const logs = await program.run(installed, ['logs', group, ...program.options(region)], {
      env,
      started: (started) => { child = started; },
    });
    runner.summarize(summary.launched(group, report, program.parsed(logs.stdout)));
    return;
  }
  const message = failure?.message
    ?? (ended.code === null ? `start was ended by ${ended.signal}` : `start ended with ${ended.code}`);
  // The last line is the failure itself, as JSON.
  const lines = ended.stderr.trimEnd().split('\n').slice(0, failure ? -1 : undefined);
  runner.summarize(summary.failed(group, message, lines.slice(-LINES_SHOWN)));
  throw new Error([message, failure?.hint].filter(Boolean).join('\n'));
}

main().catch((error) => {
  runner.error(error.message);
  process.exitCode = 1;
});
