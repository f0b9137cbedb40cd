// The processes of this computer, as far as post has to know them.
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');

/** Kills every `start` of the group that is still running: main may have been killed
 * and it not. The name of a group is of this step only. Returns how many there were. */
function killStarts(group) {
  const starts = commandLines().filter(
    ({ args }) => args.includes(' start ') && args.includes(`--machine-group-name=${group}`),
  );
  for (const { pid } of starts) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }
  return starts.length;
}

function commandLines() {
  if (process.platform === 'linux') return ofProc();
  const [command, args] = process.platform === 'win32'
    ? ['powershell', ['-NoProfile', '-Command',
      'Get-CimInstance Win32_Process | ForEach-Object { "$($_.ProcessId) $($_.CommandLine)" }']]
    : ['ps', ['-axww', '-o', 'pid=,command=']];
  const said = execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  return said.split(/\r?\n/).map((line) => {
    const [, pid, rest] = /^\s*(\d+)\s(.*)$/.exec(line) ?? [null, 0, ''];
    return { pid: Number(pid), args: rest };
  });
}

/** Without `ps`, which the image of a container job may not have. */
function ofProc() {
  return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((pid) => {
    try {
      const args = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return { pid: Number(pid), args };
    } catch {
      // It has ended, or is another user's.
      return { pid: Number(pid), args: '' };
    }
  });
}

module.exports = { killStarts };
