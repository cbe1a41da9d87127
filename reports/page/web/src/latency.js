// The latency of a traffic line over time: percentiles of the answers of each stretch, on
// a scale of powers of ten, and the same as a table.
import { scaleLog } from 'd3-scale'
import { h, s } from './dom.js'
import { length, moment, number, plural } from './format.js'

export const tall = 78 // px of the lane

const names = ['p99', 'p90', 'p50']

/** A figure in milliseconds. */
const ms = (value) => length(value * 1000)

/** Draws the lane over the visible stretch of x, with the p99 of the run that lies under this one, if one does. */
export function latency(lane, x, host) {
  const [left, right] = x.range(), { every, of } = lane.trips
  const top = 18, bottom = tall - 4
  const past = host.pastOf(lane)?.trips, both = [...of, ...(past?.of ?? [])]
  const y = scaleLog([Math.min(...both.map((t) => t.p50)) * 0.8, Math.max(1, ...both.map((t) => t.p99)) * 1.25], [bottom, top]).clamp(true)
  const decades = y.ticks().filter((v) => Number.isInteger(Math.round(Math.log10(v) * 1e6) / 1e6))
  const grid = decades.flatMap((v) => [s('line', { class: 'decade', x1: left, x2: right, y1: y(v), y2: y(v) }), s('text', { class: 'curve-label', x: left + 3, y: y(v) - 2 }, ms(v))])
  const paths = names.map((name) => s('path', { class: `trips trips-${name}`, 'clip-path': 'url(#lanes-clip)', d: steps(of, every, (t) => y(t[name]), x) }))
  if (past) paths.push(s('path', { class: 'past-curve', 'clip-path': 'url(#lanes-clip)', d: steps(past.of, past.every, (t) => y(t.p99), x) }))
  const label = s('text', { class: 'curve-label', x: right - 4, y: 11, 'text-anchor': 'end' }, `▬ ${worst(of)} · - - p90 · ··· p50${host.narrow ? '' : `, of the answers of each ${length(every)}`}${past ? ` · the run that passed: ${worst(past.of)}` : ''}`)
  const catcher = s('rect', { class: 'catch', x: left, y: 0, width: right - left, height: tall })
  host.follow(catcher, (px) => {
    const at = x.invert(px), now = stretch(lane.trips, at), was = past && stretch(past, at)
    return [`latency of ${lane.of}, ${moment(at, 1e6)}`, ...(now ? [`${plural(now.n, 'answer')} within ${length(every)}`, ...['p50', 'p90', 'p99', 'max'].map((name) => `${name} ${ms(now[name])}`)] : ['no answer came']),
      past && `in the run that passed: ${was ? `p99 ${ms(was.p99)}` : 'no answer'}`].filter(Boolean)
  })
  return [...grid, ...paths, label, catcher]
}

/** The stretch in which a moment lies. */
const stretch = ({ every, of }, at) => of.find((t) => t.at <= at && at < t.at + every)

function worst(of) {
  const t = of.reduce((a, b) => (b.p99 > a.p99 ? b : a))
  return `p99 up to ${ms(t.p99)} at ${moment(t.at)}`
}

/** A line that is level over each stretch, joined where one follows the other at once. */
function steps(of, every, y, x) {
  let d = '', last
  for (const t of of) {
    d += `${last !== undefined && t.at - last < 1 ? 'L' : 'M'}${x(t.at)},${y(t)}H${x(t.at + every)}`
    last = t.at + every
  }
  return d
}

/** Latency as a table, folded. */
export function latencyTable(timeline, show) {
  const table = timeline.latency
  if (!table) return null
  const head = h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'from'), h('th', { scope: 'col' }, 'what happened'),
    table.lines.flatMap((line) => names.toReversed().map((name) => h('th', { scope: 'col', class: 'number' }, `${line} ${name}`)))))
  const rows = table.rows.map((row) => h('tr', { class: row.what && 'happened' },
    h('td', { class: 'number' }, h('button', { type: 'button', 'aria-label': `show ${moment(row.at)} on the time axis`, onclick: () => show(row.at) }, moment(row.at))), h('td', {}, row.what ?? ''),
    row.trips.flatMap((t) => names.toReversed().map((name) => h('td', { class: 'number' }, t.n ? number(t[name]) : h('span', { class: 'dim' }, '–'))))))
  return h('details', { class: 'latency' }, h('summary', {}, 'Latency as a table'),
    h('p', { class: 'calm' }, `Round trips in ms, from when a message was meant to be sent, by when its answer came; a row has the worst 100 ms of ${length(table.every)}. – is no answer.`),
    h('div', { class: 'scroll tall', tabindex: '0', role: 'region', 'aria-label': 'latency over time' }, h('table', {}, head, h('tbody', {}, rows))))
}
