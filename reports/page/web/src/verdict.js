// Verdicts look alike everywhere: a sign, a word and a colour.
import { h } from './dom.js'

const signs = { PASS: '✓', FAIL: '✕', INCONCLUSIVE: '?', SKIP: '–', better: '▲', same: '=', worse: '▼', 'too few runs': '…',
  killed: '✓', survived: '✕', stale: '?' }

const tones = { PASS: 'good', FAIL: 'bad', INCONCLUSIVE: 'warn', SKIP: 'dim', better: 'good', same: 'dim', worse: 'bad',
  'too few runs': 'warn', killed: 'good', survived: 'bad', stale: 'warn' }

const order = ['FAIL', 'INCONCLUSIVE', 'PASS', 'SKIP']

export const rank = (verdict) => { const i = order.indexOf(verdict); return i < 0 ? order.length : i }

export function badge(verdict, word = verdict) {
  return h('span', { class: `badge ${tones[verdict] ?? 'dim'}` }, h('span', { 'aria-hidden': 'true' }, signs[verdict] ?? '·'), ` ${word}`)
}
