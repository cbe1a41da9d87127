// What the runs have met: which fault, which role, which phase of TCP connections; and what they have not.
import { h } from './dom.js'
import { badge } from './verdict.js'
import { plural } from './format.js'

const phases = ['opening', 'established', 'idle']

/** A table a world: a row for each fault and role, a hole where nothing has met it. */
export function coverage(suite) {
  const worlds = suite.coverage ?? [], sometimes = suite.sometimes ?? []
  if (worlds.length === 0 && sometimes.length === 0) return null
  return h('section', { 'aria-label': 'coverage' }, h('h2', {}, 'Coverage'), sometimes.map(claim),
    worlds.map((c) => h('details', { class: 'coverage' },
      h('summary', {}, `${c.world}: ${c.met} of ${c.possible} combinations of fault, role and TCP phase, ${plural(c.holes.length, 'hole')}`), h('div', { class: 'scroll' }, table(c)))))
}

function claim(m) {
  return h('p', {}, m.seen > 0 ? badge('PASS', 'seen') : badge('INCONCLUSIVE', 'never seen'), ` sometimes ${m.claim}`, h('small', {}, ` in ${m.seen} of ${plural(m.runs, 'run')}: ${m.detail}`))
}

function table(c) {
  const rows = new Map()
  for (const cell of [...c.cells, ...c.holes]) {
    const key = `${cell.fault}\n${cell.role}`
    if (!rows.has(key)) rows.set(key, { fault: cell.fault, role: cell.role, runs: {} })
    rows.get(key).runs[cell.phase] = cell.runs ?? 0
  }
  const sorted = [...rows.values()].sort((a, b) => a.fault.localeCompare(b.fault) || a.role.localeCompare(b.role))
  return h('table', {}, h('thead', {}, h('tr', {}, ['fault', 'role', ...phases].map((t) => h('th', { scope: 'col' }, t)))),
    h('tbody', {}, sorted.map((row) => h('tr', {}, h('th', { scope: 'row' }, row.fault), h('td', {}, row.role),
      phases.map((phase) => h('td', { class: `number${row.runs[phase] ? '' : ' hole'}` }, row.runs[phase] || 'hole'))))))
}
