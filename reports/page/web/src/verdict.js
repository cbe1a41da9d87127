// Verdicts look alike everywhere: a sign, a word and a colour.
import { h } from './dom.js'

const signs = { PASS: '✓', FAIL: '✕', INCONCLUSIVE: '?', SKIP: '–', better: '▲', same: '=', worse: '▼', 'too few runs': '…',
  killed: '✓', survived: '✕', stale: '?' }

const tones = { PASS: 'good', FAIL: 'bad', INCONCLUSIVE: 'warn', SKIP: 'dim', better: 'good', same: 'dim', worse: 'bad',
  'too few runs': 'warn', killed: 'good', survived: 'bad', stale: 'warn' }

const order = ['FAIL', 'INCONCLUSIVE', 'PASS', 'SKIP']

export const rank = (verdict) => { const i = order.indexOf(verdict); return i < 0 ? order.length : i }

/** Whether a failure of a row is noise, as far as its repeats tell. */
export function noise(row) {
  const decided = row.passed + row.failed, bad = row.failed + row.inconclusive, all = bad + row.passed
  if (all < 2) return 'It was run once; --repeat tells whether it comes back.'
  if (row.failed === 0) return `${bad} of ${all} runs prove nothing.`
  return row.failed === decided ? `Every one of ${decided} runs failed: no flake.` : `${row.failed} of ${decided} runs failed: it comes and goes.`
}

/** What stands beside a verdict that was reached without some lines of the scenario. */
export function unexecuted(row) {
  const lines = row.unexecuted ?? []
  return lines.length > 0 && h('small', { class: 'unexecuted', title: lines.join('\n') }, ` ${lines.length} not executed`)
}

export function badge(verdict, word = verdict) {
  return h('span', { class: `badge ${tones[verdict] ?? 'dim'}` }, h('span', { 'aria-hidden': 'true' }, signs[verdict] ?? '·'), ` ${word}`)
}
