// The waterfall of each failover: which part took how much of the outage.
import { h } from './dom.js'
import { length, moment, percent } from './format.js'

export function waterfalls(timeline) {
  if (timeline.failovers.length === 0) return null
  return h('section', {}, h('h2', {}, 'Where the time of each failover went'), h('div', { class: 'falls' }, timeline.failovers.map(fall)))
}

function fall(f) {
  const rows = f.steps.map((step, i) => {
    const bar = h('span', { class: `bar stage-${i}` })
    bar.style.left = `${f.total ? ((step.from - f.steps[0].from) / f.total) * 100 : 0}%`
    bar.style.width = `${step.share * 100}%`
    return h('tr', { title: step.what }, h('th', { scope: 'row' }, step.name), h('td', { class: 'track', 'aria-hidden': 'true' }, h('div', {}, bar)),
      h('td', { class: 'number' }, length(step.took)), h('td', { class: 'number' }, percent(step.share)), h('td', { class: 'what' }, step.what))
  })
  return h('figure', { class: 'fall' },
    h('figcaption', {}, h('b', {}, `${f.kind}: ${f.from} → ${f.to}`), ` ${length(f.total)}`, h('small', {}, ` after ${f.cause} at ${moment(f.at)}; by ${f.probe}`)),
    h('table', { class: 'waterfall' }, h('thead', { class: 'hidden' }, h('tr', {}, ['stage', '', 'took', 'share', 'until'].map((t) => h('th', { scope: 'col' }, t)))), h('tbody', {}, rows)))
}
