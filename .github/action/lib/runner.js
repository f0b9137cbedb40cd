// What GitHub's runner gives to a step, and takes from it:
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');

/** An input of action.yml; '' if it was not given. */
function input(name) {
  return (process.env[`INPUT_${name.toUpperCase()}`] ?? '').trim();
}

/** What main has saved for post; '' if it did not get so far. */
function saved(name) {
  return process.env[`STATE_${name}`] ?? '';
}

/** Saves values for post; of a name that is saved twice, the later value counts.
 * They are on the disk when this returns: a killed main has saved them. */
function save(values) {
  appendPairs(process.env.GITHUB_STATE, values);
}

function output(values) {
  appendPairs(process.env.GITHUB_OUTPUT, values);
}

function appendPairs(file, values) {
  const pairs = Object.entries(values).map(([name, value]) => {
    const delimiter = `end-${crypto.randomUUID()}`;
    return [`${name}<<${delimiter}`, value, delimiter, ''].join(os.EOL);
  });
  append(file, pairs.join(''));
}

/** Adds Markdown to the job's summary. */
function summarize(markdown) {
  append(process.env.GITHUB_STEP_SUMMARY, `${markdown}\n`);
}

function append(file, text) {
  if (!file) {
    throw new Error('this has to run as a step of a workflow: GITHUB_STATE and its like are not set');
  }
  const opened = fs.openSync(file, 'a');
  try {
    fs.writeSync(opened, text);
    fs.fsyncSync(opened);
  } finally {
    fs.closeSync(opened);
  }
}

/** Hides a value, and each of its lines, in all logs of the job. */
function mask(secret) {
  for (const line of secret.split(/\r?\n/)) {
    if (line.trim()) command('add-mask', line);
  }
}

function error(message) {
  command('error', message);
}

function command(name, text) {
  const escaped = text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  say(`::${name}::${escaped}`);
}

/** Past Node's streams, which may hold a line back that a command then overtakes. */
function say(line) {
  fs.writeSync(1, `${line}\n`);
}

/** Runs `work`; until it is done, nothing that is printed counts as a workflow
 * command. A machine's console is quoted there, which anybody may have written. */
async function withoutCommands(work) {
  const token = crypto.randomUUID();
  command('stop-commands', token);
  try {
    return await work();
  } finally {
    say(`::${token}::`);
  }
}

module.exports = { error, input, mask, output, save, saved, say, summarize, withoutCommands };
