// Draws lanes: spans with their word in them, marks, and curves. What is too narrow
// for the width is drawn together, with its count, never left out.
import { area, curveStepAfter, curveStepBefore, line } from 'd3-shape'
import { scaleLinear } from 'd3-scale'
import { s } from './dom.js'
import { length, moment, number } from './format.js'
import { latency, tall } from './latency.js'

const titles = { faults: 'faults', steps: 'steps', stalls: 'host stalls', role: 'role', gates: 'blocked by', bfd: 'BFD', sync: 'sync', lease: 'may forward',
  announce: 'GARP', forwarder: 'carried', rst: 'RST', damage: 'damage', goodput: 'goodput', connects: 'new connects', latency: 'latency', gaps: 'no answer' }

/** The lane's name, without the group that it stands in. */
export const title = (lane) => [titles[lane.kind] ?? lane.kind, ['rst', 'forwarder'].includes(lane.kind) ? `at ${lane.of}` : lane.name].filter(Boolean).join(' ')

/** What lanes are grouped under: a node, a traffic line, the wire. */
export const group = (lane) => (['faults', 'steps', 'stalls'].includes(lane.kind) ? 'scenario' : ['rst', 'forwarder'].includes(lane.kind) ? 'on the wire'
  : ['goodput', 'connects', 'latency', 'gaps', 'damage'].includes(lane.kind) ? `traffic ${lane.of}` : lane.of)

const row = 22 // px of a line of spans or marks
const plot = 44 // px of a line of curves

const plotted = (lane) => lane.curves.filter((c) => c.values.some((v) => v !== 0))

export const height = (lane) => (lane.trips ? tall : plotted(lane).length === 0 ? row : plot + (lane.spans.length > 0 ? row : 0))

/** The lanes, those of one group together, in the order in which groups first appear. */
export function grouped(lanes) {
  const groups = Map.groupBy(lanes, group)
  return [...groups.values()].flat()
}

/** The lanes that say most, without what others say too. */
export const forPaper = (lanes) => lanes.filter((l) => !['bfd', 'announce', 'goodput', 'connects'].includes(l.kind)).map((l) => (l.kind === 'sync' ? { ...l, curves: [] } : l))

const slug = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, '-')

/** Draws a lane into g over the visible stretch of x. */
export function draw(g, lane, x, host) {
  const [left, right] = x.range()
  const kept = new Map([...g.children].map((e) => [e.dataset.key, e]))
  const parts = []
  const put = (key, make, place) => { const e = kept.get(key) ?? make(); e.dataset.key = key; place(e); parts.push(e) }
  if (lane.trips) parts.push(...latency(lane, x, host))
  if (plotted(lane).length > 0) parts.push(...curves(lane, x, host))
  parts.push(...past(lane, host.pastOf(lane), x))
  for (const run of together(lane.spans, x)) span(put, lane, run, left, right, host)
  for (const run of clusters(lane.marks, x)) mark(put, lane, run, x, host)
  const focused = document.activeElement
  const inside = g.contains(focused) && parts.includes(focused)
  g.replaceChildren(...parts)
  if (inside) focused.focus({ preventScroll: true })
}

// Spans of a state that are narrower than two pixels together and touch each other.
function together(spans, x) {
  const [left, right] = x.range(), runs = []
  for (const sp of spans) {
    const from = x(sp.from), to = Math.max(x(sp.to), from + 1.5)
    if (to < left || from > right) continue
    const last = runs.at(-1)
    if (last && to - from < 2 && last.to - last.from < 6 && from - last.to < 1 && last.spans[0].tone === sp.tone) { last.to = Math.max(last.to, to); last.spans.push(sp) }
    else runs.push({ from, to, spans: [sp] })
  }
  return runs
}

// What is grave is never drawn together with what is not.
const weight = (m) => (['bad', 'warn'].includes(m.tone) ? m.tone : '')

function clusters(marks, x) {
  const [left, right] = x.range(), runs = []
  for (const m of marks) {
    const at = x(m.at)
    if (at < left - 8 || at > right + 8) continue
    const last = runs.at(-1)
    if (last && at - last.at < last.room && weight(last.marks[0]) === weight(m)) { last.marks.push(m); last.count += m.count || 1 }
    else runs.push({ at, marks: [m], count: m.count || 1 })
    const now = runs.at(-1)
    now.room = 14 + (now.count > 1 ? 7 * String(now.count).length + 6 : 0) // a sign, and the count beside it
  }
  return runs
}

function span(put, lane, run, left, right, host) {
  const first = run.spans[0], many = run.spans.length
  const from = Math.max(run.from, left), to = Math.min(run.to, right), wide = Math.max(1.5, to - from)
  const state = lane.kind === 'gates' && first.state === 'open' ? 'nothing' : first.state
  const label = many > 1 ? `${many} changes` : state
  const words = [`${title(lane)}${lane.of ? ` of ${lane.of}` : ''}: ${state}`, many === 1 && first.what !== first.state && first.what,
    many > 1 && `${many} in ${length(run.spans.at(-1).to - first.from)}; zoom in for each`, `${moment(first.from, 1e6)} to ${moment(run.spans.at(-1).to, 1e6)}, ${length(run.spans.at(-1).to - first.from)}`]
  put(`s${first.from}-${first.state}-${many}`, () => {
    const g = s('g', { class: `span kind-${lane.kind} state-${slug(first.state)} tone-${first.tone || 'none'}`, 'aria-label': words.filter(Boolean).join('. '), role: 'img' },
      s('rect', { y: 2, height: row - 4, rx: 3 }), s('text', { y: row / 2 + 4 }))
    host.hover(g, words)
    return g
  }, (g) => {
    const [rect, text] = g.children
    rect.setAttribute('x', from); rect.setAttribute('width', wide)
    text.setAttribute('x', from + 5)
    const room = Math.floor((wide - 8) / 6.6)
    text.textContent = room >= label.length ? label : room > 3 ? `${label.slice(0, room - 1)}…` : ''
  })
}

function mark(put, lane, run, x, host) {
  const first = run.marks[0], n = run.count, isRST = lane.kind === 'rst'
  const words = [`${n > 1 ? `${number(n)} × ` : ''}${title(lane)} ${moment(first.at, 1e6)}`, ...run.marks.slice(0, 3).map((m) => `${m.what}${m.count > 1 ? ` (${m.count})` : ''}`),
    run.marks.length > 3 && `and ${run.marks.length - 3} more; zoom in for each`, isRST && 'Enter or click: who sent it']
  put(`m${first.at}-${n}-${first.what}`, () => {
    const g = s('g', { class: `mark kind-${lane.kind} tone-${first.tone || 'none'}`, tabindex: '-1', 'data-at': first.at, role: isRST ? 'button' : 'img', 'aria-label': words.filter(Boolean).join('. ') },
      s('path', { d: shape(first.tone) }), n > 1 && s('text', { x: 8, y: 4 }, number(n)))
    host.hover(g, words)
    if (isRST) host.open(g, run.marks)
    return g
  }, (g) => g.setAttribute('transform', `translate(${x(first.at)},${row / 2})`))
}

// Bad marks are crosses, warnings triangles, the others diamonds: told apart without colour.
const shape = (tone) => (tone === 'bad' ? 'M-5,-5 L5,5 M5,-5 L-5,5' : tone === 'warn' ? 'M0,-6 L6,5 L-6,5 Z' : 'M0,-5.5 L5,0 L0,5.5 L-5,0 Z')

// Curves of a lane share its plot, each with a scale of its own that the label tells.
function curves(lane, x, host) {
  const [left, right] = x.range(), bottom = height(lane) - 3, top = height(lane) - plot + 16
  const shown = plotted(lane), zero = lane.curves.filter((c) => !shown.includes(c))
  const paths = shown.map((c, i) => {
    const peak = Math.max(...c.values), y = scaleLinear([0, peak], [bottom, top])
    const points = c.at.map((at, n) => [at, c.values[n]])
    if (lane.kind === 'sync') points.push([x.domain()[1], c.values.at(-1)]) // holds until it is told anew
    return s('path', { class: `curve curve-${i}`, 'clip-path': 'url(#lanes-clip)', d: area((p) => x(p[0]), bottom, (p) => y(p[1])).curve(lane.kind === 'sync' ? curveStepAfter : curveStepBefore)(points) })
  })
  const label = s('text', { class: 'curve-label', x: right - 4, y: top - 5, 'text-anchor': 'end' }, 
    [...shown.map((c, i) => `${['▬', '- -', '···'][i % 3]} ${c.name} up to ${value(c, Math.max(0, ...c.values))}`), ...zero.map((c) => `${c.name} 0 throughout`)].join(' · '))
  const catcher = s('rect', { class: 'catch', x: left, y: top - 14, width: right - left, height: bottom - top + 14 })
  host.follow(catcher, (px) => {
    const at = x.invert(px)
    return [`${title(lane)} of ${lane.of}, ${moment(at, 1e6)}`, ...shown.map((c) => `${c.name}: ${value(c, c.values[Math.max(0, c.at.findIndex((t) => t >= at))] ?? 0)}`)]
  })
  return [...paths, label, catcher]
}

/** What the run that lies under this one did: thin bars under the spans that matter, dashed curves. */
function past(lane, other, x) {
  if (!other) return []
  const [left, right] = x.range(), bottom = height(lane) - 3, top = height(lane) - plot + 16
  const bars = ['role', 'gaps', 'forwarder'].includes(lane.kind) ? other.spans.filter((sp) => x(sp.to) > left && x(sp.from) < right && sp.state !== 'Backup') : []
  return [...bars.map((sp) => { const from = Math.max(left, x(sp.from)); return s('rect', { class: 'past', x: from, y: row - 3, height: 3, width: Math.max(1.5, Math.min(right, x(sp.to)) - from) }) }),
    ...plotted(lane).flatMap((c) => {
      const was = other.curves.find((o) => o.name === c.name)
      const y = scaleLinear([0, Math.max(...c.values)], [bottom, top]).clamp(true)
      return was ? [s('path', { class: 'past-curve', 'clip-path': 'url(#lanes-clip)', d: line((p) => x(p[0]), (p) => y(p[1])).curve(lane.kind === 'sync' ? curveStepAfter : curveStepBefore)(was.at.map((at, n) => [at, was.values[n]])) })] : []
    })]
}

const value = (c, n) => `${number(n)}${c.unit ? ` ${c.unit}` : ''}`
