// What broke, a cause each: runs that broke alike stand together.
import { h } from './dom.js'
import { badge, noise } from './verdict.js'
import { plural, where } from './format.js'
import { command } from './copy.js'

const shown = 5 // causes before the table; the others are folded

export function causes(report) {
  const items = report.suite.causes.map((c) => cause(report, c))
  if (items.length === 0) return null
  return h('section', {}, h('h2', {}, 'What broke'), items.slice(0, shown),
    items.length > shown && h('details', {}, h('summary', {}, `and ${plural(items.length - shown, 'cause')} more`), items.slice(shown)))
}

function cause(report, c) {
  const { runs, rows } = report.suite
  const first = c.runs[0], run = runs[first], row = rows[run.row]
  const alike = c.runs.slice(1)
  return h('div', { class: `failure ${c.verdict.toLowerCase()}`, title: c.what },
    h('h3', {}, badge(c.verdict), ' ', h('a', { href: `#run-${first}` }, row.scenario), h('small', {}, ` ${[where(row), ...(row.settings ?? []), `seed ${run.seed}`].join(' · ')}`)),
    h('div', { class: 'answer' }, h('p', {}, run.answer?.[0] ?? run.reasons[0] ?? c.what)),
    row.runs.length > 1 && h('p', { class: 'noise' }, noise(row)),
    alike.length > 0 && h('p', { class: 'noise' }, 'Broke alike: ', alike.slice(0, 12).map((i, n) => [n > 0 && ', ', h('a', { href: `#run-${i}` }, name(report, i, row))]), alike.length > 12 && ` and ${alike.length - 12} more`, '.'),
    run.replay && command(run.replay))
}

/** A run beside one of a row: by its seed where it is a repeat, else by its scenario. */
function name(report, i, row) {
  const run = report.suite.runs[i], own = report.suite.rows[run.row]
  return own === row ? `seed ${run.seed}` : `${own.scenario} (${where(own)})`
}
