// How figures compare with a baseline, and how they went over time.
import { line } from 'd3-shape'
import { scaleLinear } from 'd3-scale'
import { h, s } from './dom.js'
import { badge } from './verdict.js'
import { number, percent, plural } from './format.js'

const signed = (share) => `${share > 0 ? '+' : '−'}${percent(Math.abs(share))}`

const spread = (d, unit) => `${number(d.median)} ${unit} (${number(d.low)}–${number(d.high)}, n ${d.n})`

const table = (rows) => h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'figures compared' }, h('table', {},
  h('thead', {}, h('tr', {}, ['', 'scenario', 'world', 'metric', 'then', 'now', 'change', 'p', 'why'].map((t) => h('th', { scope: 'col' }, t)))),
  h('tbody', {}, rows.map((r) => h('tr', {}, h('td', {}, badge(r.verdict)), h('th', { scope: 'row' }, r.scenario), h('td', {}, r.world), h('td', {}, r.metric.replaceAll('_', ' ')),
    h('td', { class: 'number' }, spread(r.base, r.unit)), h('td', { class: 'number' }, spread(r.new, r.unit)), h('td', { class: 'number' }, signed(r.delta)),
    h('td', { class: 'number' }, r.adjusted.toPrecision(2)), h('td', {}, r.why))))))

/** Changes first; what has not changed is folded. */
export function comparison(c) {
  const changed = (c.rows ?? []).filter((r) => ['worse', 'better'].includes(r.verdict)), others = (c.rows ?? []).filter((r) => !changed.includes(r))
  return h('section', {}, h('h2', {}, 'Compared with ', h('code', {}, c.base), ' ', badge(c.verdict)),
    h('p', {}, `A change counts from ${percent(c.effect)} of the median on; identical runs are called different with probability ${c.alpha} at most.`),
    c.remarks?.length > 0 && h('ul', {}, c.remarks.map((r) => h('li', {}, r))),
    changed.length > 0 ? table(changed) : h('p', { class: 'calm' }, 'No figure has changed.'),
    others.length > 0 && h('details', {}, h('summary', {}, `${plural(others.length, 'figure')} that ${others.length === 1 ? 'is' : 'are'} the same, or of which there are too few runs`), table(others)))
}

export function history(list) {
  const charts = (trends) => h('div', { class: 'trends' }, trends.map((t) => chart(t, list.batches)))
  const changed = (list.trends ?? []).filter((t) => t.changes?.length > 0), others = (list.trends ?? []).filter((t) => !changed.includes(t))
  return h('section', {}, h('h2', {}, `Trends over ${list.batches.length} batches`),
    changed.length > 0 ? charts(changed) : h('p', { class: 'calm' }, 'No figure has changed its level.'),
    others.length > 0 && h('details', {}, h('summary', {}, `${plural(others.length, 'figure')} that kept ${others.length === 1 ? 'its' : 'their'} level`), charts(others)))
}

// One trend: the band from the least to the largest, the medians, and a rule with a
// word wherever the level changed.
function chart(t, batches) {
  const width = 360, height = 120, changes = t.changes ?? []
  const x = scaleLinear([0, Math.max(1, batches.length - 1)], [34, width - 10])
  const y = scaleLinear([Math.min(0, ...t.points.map((p) => p.min)), Math.max(1e-9, ...t.points.map((p) => p.max))], [height - 18, 12]).nice(3)
  const svg = s('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', class: 'trend-chart',
    'aria-label': `${t.scenario} ${t.metric}: ${t.points.map((p) => `${batches[p.batch]} ${number(p.median)}`).join(', ')}` })
  for (const tick of y.ticks(3)) svg.append(s('line', { x1: 34, x2: width - 10, y1: y(tick), y2: y(tick), class: 'grid' }), s('text', { x: 30, y: y(tick) + 3, class: 'tick', 'text-anchor': 'end' }, number(tick)))
  for (const p of t.points) svg.append(s('line', { x1: x(p.batch), x2: x(p.batch), y1: y(p.min), y2: y(p.max), class: 'range' }))
  svg.append(s('path', { class: 'trend', d: line((p) => x(p.batch), (p) => y(p.median))(t.points) }))
  for (const p of t.points) svg.append(s('circle', { cx: x(p.batch), cy: y(p.median), r: 3, class: 'trend-end' }, s('title', {}, `${batches[p.batch]}: ${number(p.median)} ${t.unit} (${number(p.min)}–${number(p.max)}, n ${p.n})`)))
  for (const c of changes) {
    const at = x(t.points[c.point].batch)
    svg.append(s('line', { x1: at, x2: at, y1: 8, y2: height - 18, class: `shift ${c.verdict === 'worse' ? 'bad' : 'good'}` }),
      s('text', { x: at > width * 0.7 ? at - 3 : at + 3, y: 16, class: 'tick', 'text-anchor': at > width * 0.7 ? 'end' : 'start' }, `${c.verdict}: ${number(c.before)} → ${number(c.after)}`))
  }
  return h('figure', {}, h('figcaption', {}, h('b', {}, t.scenario), ` ${t.world} · ${t.metric.replaceAll('_', ' ')}`), svg)
}
