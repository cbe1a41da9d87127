// The verdicts at a glance: a bar with a part for each, and a button for each that shows
// only its scenarios in the table.
import { h } from './dom.js'
import { badge, rank } from './verdict.js'
import { number, plural } from './format.js'

export function strip(suite, only) {
  const counts = Object.entries(suite.counts ?? {}).filter(([, n]) => n > 0).sort(([a], [b]) => rank(a) - rank(b))
  const buttons = counts.map(([verdict, n]) => h('button', { type: 'button', class: 'count', 'aria-pressed': 'false', 'aria-label': `${number(n)} ${verdict}, show only these`,
    onclick: (e) => {
      const on = e.currentTarget.getAttribute('aria-pressed') !== 'true'
      for (const b of buttons) b.setAttribute('aria-pressed', String(b === e.currentTarget && on))
      only(on ? verdict : undefined)
    } }, badge(verdict, `${number(n)} ${verdict}`)))
  const bar = h('div', { class: 'bar-of-verdicts', 'aria-hidden': 'true' }, counts.map(([verdict, n]) => {
    const part = h('span', { class: `part ${verdict.toLowerCase()}` })
    part.style.flexGrow = n
    return part
  }))
  return h('header', { class: 'strip' }, bar, h('div', { class: 'counts' }, buttons,
    h('small', {}, `${plural(suite.runs.length, 'run')} of ${plural(suite.rows.length, 'scenario')}, ${plural(suite.events, 'trace event')}`)))
}
