// Terminates the group, whatever became of the job. It needs nothing of main but what
// main had saved, and stops only when it is certain that no machine is left, or says
// loudly which may be.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const clock = require('./lib/clock');
const processes = require('./lib/processes');
const program = require('./lib/program');
const runner = require('./lib/runner');
const summary = require('./lib/summary');

/** Seconds after the end of a `start` until EC2 shows all that it has launched: what
 * the program itself counts with (the manual of start, THE GROUP). */
const SHOWN_AFTER = 120;
/** Seconds between two runs of `terminate`. */
const PAUSE = 10;
/** Seconds after which this gives up: of a job that was cancelled, GitHub ends
 * everything after five minutes, and what may be left has to be told before. */
const PATIENCE = 240;
/** Seconds to wait for what the group has cost. */
const COST_PATIENCE = 20;
/** A `start` that ended by itself with one of these has left nothing. */
const NOTHING_LEFT = ['1', '2', '4', '5'];
/** What another try does not change: usage, and not signed in or not permitted. */
const FINAL = [2, 4];

// A second cancellation: what goes on here is what it asks for.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {});

async function post() {
  const group = runner.saved('group');
  const start = runner.saved('start');
  if (!group || !start || start === 'never') {
    runner.say('nothing was launched');
    return;
  }
  const begun = await clock.now();
  const killed = processes.killStarts(group);
  if (killed) runner.say('the start was still under way, and was killed');
  // Of a `start` that did not tell its end, it is now at the latest.
  const ended = killed ? begun : Number(runner.saved('ended')) || begun;
  const endedByItself = !killed && /^\d+$/.test(start) && start !== '130';
  const left = await terminate({ group, start, endedByItself, allShown: ended + SHOWN_AFTER, begun });
  if (left === null) return;
  const region = runner.saved('region');
  const known = runner.saved('machines').split(' ').filter(Boolean);
  const machines = [...new Set([...left.machines, ...known])];
  const end = `inductiva-aws terminate ${group} --yes${region ? ` --region ${region}` : ''}`;
  const message = `machines of the group ${group} may be running`
    + `${machines.length ? `: ${machines.join(' ')}` : ''}${region ? ` (${region})` : ''}`;
  runner.error([`${message}\n${left.message}`, left.hint, `end them: ${end}`].filter(Boolean).join('\n'));
  runner.summarize(`### :rotating_light: ${summary.escaped(message)}\n\n<p>${summary.escaped(left.message)}</p>\n\n`
    + `End them:\n\n${summary.preformatted([end])}`);
  process.exitCode = 1;
}

/** Runs `terminate` until nothing is left; then null, else how the last run failed. */
async function terminate({ group, start, endedByItself, allShown, begun }) {
  const region = runner.saved('region');
  const env = program.environment();
  const installed = await present(runner.saved('program'), group);
  const terminated = new Set();
  const givenUp = Date.now() + PATIENCE * 1000;
  for (;;) {
    const from = await clock.now();
    const isLast = from >= begun + PATIENCE;
    const run = await runner.withoutCommands(() => program.run(
      installed,
      ['terminate', `--machine-group-name=${group}`, '--yes', ...program.options(region)],
      { env, line: runner.say, until: givenUp },
    ));
    program.parsed(run.stdout)?.terminated.forEach((id) => terminated.add(id));
    const failure = program.failure(run.stderr);
    // What EC2 does not show yet is found by a run that begins when it shows all.
    const showsAll = from >= allShown;
    let isDone = run.code === 0 && (endedByItself || showsAll);
    if (endedByItself && NOTHING_LEFT.includes(start)) {
      // What kept the start from launching may keep this from looking.
      isDone ||= failure !== null && failure.machines.length === 0;
    } else if (failure?.kind === 'not_found') {
      isDone = !endedByItself && showsAll;
    }
    if (isDone) {
      await tell(installed, group, region, env, [...terminated]);
      return null;
    }
    if (isLast || run.code === null || FINAL.includes(run.code)) {
      return failure ?? { message: `terminate ended with ${run.code ?? run.signal}`, machines: [] };
    }
    await clock.pause(PAUSE);
  }
}

/** The program, which main has put aside; once more if somebody has removed it. */
async function present(installed, group) {
  if (installed && fs.existsSync(installed)) return installed;
  return program.install(path.join(process.env.RUNNER_TEMP, `inductiva-aws-${group}`));
}

/** What the group came to, for the summary. */
async function tell(installed, group, region, env, terminated) {
  const options = ['--no-input', '--color=never', ...(region ? [`--region=${region}`] : [])];
  const until = Date.now() + COST_PATIENCE * 1000;
  const cost = await program.run(installed, ['cost', group, ...options], { env, until });
  const ended = terminated.length ? `terminated ${terminated.join(' ')}` : 'no machine was left to terminate';
  runner.summarize(`#### ${summary.escaped(`${group}: ${ended}`)}\n`);
  if (cost.code === 0) runner.summarize(summary.preformatted(cost.stdout.trimEnd().split('\n')));
  else if (terminated.length) runner.summarize('What it has cost is not known.\n');
}

post().catch((error) => {
  const group = runner.saved('group');
  const region = runner.saved('region');
  runner.error(`machines of the group ${group} may be running: ${error.message}\n`
    + `end them: inductiva-aws terminate ${group} --yes${region ? ` --region ${region}` : ''}`);
  process.exitCode = 1;
});
