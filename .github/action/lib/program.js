// The program: where it comes from, and how it is run.
'use strict';

const { spawn } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const runner = require('./runner');

const WINDOWS = process.platform === 'win32';
const NAME = WINDOWS ? 'inductiva-aws.exe' : 'inductiva-aws';
const DOWNLOAD_TRIES = 3;

// What a release has a binary for: Node's names, and Rust's.
const TARGETS = {
  'linux x64': 'x86_64-unknown-linux-gnu',
  'darwin arm64': 'aarch64-apple-darwin',
  'darwin x64': 'x86_64-apple-darwin',
  'win32 x64': 'x86_64-pc-windows-msvc',
};

/** Puts the program into a folder of its own, which a later step does not empty or
 * rebuild: post needs it again. Returns its path. */
async function install(folder) {
  fs.mkdirSync(folder, { recursive: true });
  const given = runner.input('path');
  const program = path.join(folder, NAME);
  if (given) {
    fs.copyFileSync(path.resolve(process.env.GITHUB_WORKSPACE || '.', given), program);
    fs.chmodSync(program, 0o755);
    return program;
  }
  await download(folder, runner.input('version') || ownVersion());
  return program;
}

/** The version of the repository that this action is part of. */
function ownVersion() {
  const manifest = fs.readFileSync(path.join(__dirname, '../../../Cargo.toml'), 'utf8');
  return /^version = "(.+)"$/m.exec(manifest)[1];
}

/** Downloads a release's archive, checks it by the release's SHA256SUMS, and unpacks it. */
async function download(folder, wanted) {
  const version = wanted.replace(/^v/, '');
  if (!/^[0-9A-Za-z.+-]+$/.test(version)) throw new Error(`version: not a version: ${wanted}`);
  const system = `${process.platform} ${process.arch}`;
  const target = TARGETS[system];
  if (!target) {
    throw new Error(`there is no release for ${system}: build inductiva-aws on the runner, and give its path`);
  }
  const archive = `inductiva-aws-${version}-${target}.${WINDOWS ? 'zip' : 'tar.gz'}`;
  // For `uses: ./.github/action` the runner does not say a repository of the action.
  const repository = process.env.GITHUB_ACTION_REPOSITORY || process.env.GITHUB_REPOSITORY;
  const release = `${process.env.GITHUB_SERVER_URL}/${repository}/releases/download/v${version}`;
  const sums = (await fetched(`${release}/SHA256SUMS`)).toString('utf8');
  const bytes = await fetched(`${release}/${archive}`);
  const line = sums.split(/\r?\n/).find((each) => each.endsWith(` ${archive}`) || each.endsWith(`*${archive}`));
  const sum = crypto.createHash('sha256').update(bytes).digest('hex');
  if (line?.split(/[ *]/)[0] !== sum) {
    throw new Error(`${release}/${archive} is not what SHA256SUMS says: its SHA256 is ${sum}`);
  }
  const file = path.join(folder, archive);
  fs.writeFileSync(file, bytes);
  // Windows has a tar that reads zip.
  const tar = WINDOWS ? path.join(process.env.SystemRoot, 'System32', 'tar.exe') : 'tar';
  const strip = WINDOWS ? [] : ['--strip-components=1'];
  const { code, stderr } = await run(tar, ['-xf', file, '-C', folder, ...strip], {});
  if (code !== 0) throw new Error(`cannot unpack ${archive}: ${stderr.trim()}`);
  fs.rmSync(file);
}

async function fetched(address) {
  let failure;
  for (let tries = 0; tries < DOWNLOAD_TRIES; tries += 1) {
    try {
      const answer = await fetch(address);
      if (answer.ok) return Buffer.from(await answer.arrayBuffer());
      failure = `HTTP ${answer.status}`;
      // It will not be there the next time either.
      if (answer.status < 500) break;
    } catch (error) {
      failure = error.cause?.message ?? error.message;
    }
  }
  throw new Error(`cannot download ${address}: ${failure}`);
}

/** Runs a command to its end. `started` gets the process, `line` each line of its
 * stderr; at `until`, by Date.now(), it is killed. The code is null for a command
 * that was killed. */
function run(command, args, { env = process.env, started = () => {}, line = () => {}, until }) {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true });
    const said = { stdout: '', stderr: '' };
    let unfinished = '';
    child.stdout.setEncoding('utf8').on('data', (text) => { said.stdout += text; });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said.stderr += text;
      const lines = (unfinished + text).split('\n');
      unfinished = lines.pop();
      lines.forEach(line);
    });
    const limit = until && setTimeout(() => child.kill('SIGKILL'), until - Date.now());
    child.on('error', failed);
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      if (unfinished) line(unfinished);
      done({ code, signal, ...said });
    });
    started(child);
  });
}

/** A document that a command printed; null if it did not get so far. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** How the program tells a failure: the last line on stderr. */
function failure(stderr) {
  return parsed(stderr.trimEnd().split('\n').at(-1))?.error ?? null;
}

/** The environment of the program: the credentials as they were left, and the key. */
function environment() {
  const key = runner.input('api-key');
  return key ? { ...process.env, INDUCTIVA_API_KEY: key } : process.env;
}

/** Options of every command. */
function options(region) {
  return ['--output=json', '--no-input', '--color=never', ...(region ? [`--region=${region}`] : [])];
}

module.exports = { environment, failure, install, options, parsed, run };
