// The job's summary, in Markdown. What it quotes comes from AWS and from machines'
// consoles: it is shown as text, whatever is in it.
'use strict';

function escaped(text) {
  return String(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function preformatted(lines) {
  // No blank line, at which Markdown would end the block and read on by its own rules.
  const shown = lines.map((line) => escaped(line).replace(/^\s*$/, ' '));
  return `<pre>${shown.join('\n')}</pre>\n`;
}

function table(headers, rows) {
  const row = (cells, tag) => `<tr>${cells.map((cell) => `<${tag}>${escaped(cell ?? '')}</${tag}>`).join('')}</tr>`;
  return `<table>\n${[row(headers, 'th'), ...rows.map((cells) => row(cells, 'td'))].join('\n')}\n</table>\n`;
}

/** The boot phase that a machine's console has come to. */
function phase(console) {
  const said = [...console.matchAll(/inductiva-aws: (?:phase|failed) .*/g)].at(-1)?.[0];
  return said?.replace(/^inductiva-aws: (phase )?/, '') ?? 'no phase on the console yet';
}

function launched(group, report, logs) {
  const phases = Object.fromEntries((logs?.logs ?? []).map((log) => [log.instance_id, phase(log.console)]));
  const rows = report.machines.map((machine) => [
    machine.instance_id, machine.vm_type, machine.availability_zone, machine.market, phases[machine.instance_id],
  ]);
  const { usd_per_hour: cost, unknown_because: reason } = report.cost;
  return [
    `### Machine group ${escaped(group)}\n`,
    table(['Machine', 'Type', 'Zone', 'Market', 'Boot phase'], rows),
    `In ${escaped(report.region)}; cost: ${cost === null ? escaped(reason ?? 'not known') : `about ${cost} USD an hour`}.`,
  ].join('\n');
}

function failed(group, message, lines) {
  return `### Machine group ${escaped(group)}: no start\n\n<p>${escaped(message)}</p>\n\n${preformatted(lines)}`;
}

module.exports = { escaped, failed, launched, preformatted };
