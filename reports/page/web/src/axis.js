// The time axis of a run: lanes under one scale, with zoom, pan, keyboard and the
// panel that a RST opens.
import { axisTop } from 'd3-axis'
import { scaleLinear } from 'd3-scale'
import { select } from 'd3-selection'
import { zoom, zoomIdentity } from 'd3-zoom'
import { h, s } from './dom.js'
import { moment } from './format.js'
import { attribution } from './attribution.js'
import { draw, forPaper, group, grouped, height, title } from './lanes.js'
import { tooltip } from './tooltip.js'

const head = 26 // px of the scale
const heading = 20 // px of a group's name
const paperWidth = 980 // px, that the page is wide on paper
const key = (lane) => [lane.kind, lane.of, lane.name].join('/')
const around = 300_000 // µs to each side of a moment that a line of the scenario shows

/** The section of the axis, and show(at), which shows the moment around an instant. passed is a run
 * of the same scenario that passed, which can be laid under this one: its name, and load(). */
export function axis(timeline, captures, passed) {
  const svg = s('svg', { class: 'axis', tabindex: '0', role: 'group',
    'aria-label': 'time axis: arrows pan, plus and minus zoom, 0 shows the whole run, n and p go from mark to mark, Escape closes' })
  const host = h('div', { class: 'axis-host' }, svg)
  const side = h('div', { class: 'side' })
  const section = h('section', { class: 'timeline', 'aria-label': 'what happened when' }, h('h2', {}, 'What happened when', h('small', { class: 'paper' }, ' on paper without BFD, announcements and rates')))
  const tip = tooltip(host)
  const chart = new Chart(timeline, svg, tip, (marks, from) => {
    const rsts = marks.flatMap((m) => (m.rst ? belonging(timeline, m) : []))
    if (rsts.length === 0) return
    side.replaceChildren(attribution(timeline, rsts, captures, () => { side.replaceChildren(); from.focus() }))
    side.firstChild.focus({ preventScroll: true })
    side.scrollIntoView({ block: 'nearest' })
  })
  svg.addEventListener('keydown', (e) => { if (e.key === 'Escape') side.replaceChildren(); chart.key(e) })
  section.append(toolbar(timeline, chart, passed), host, side)
  new ResizeObserver(() => chart.resize(host.clientWidth)).observe(host)
  addEventListener('beforeprint', () => chart.paper(true))
  addEventListener('afterprint', () => chart.paper(false))
  const print = matchMedia('print')
  print.addEventListener('change', () => chart.paper(print.matches))
  if (print.matches) chart.paper(true)
  const show = (at) => { chart.show(at - around, at + around); section.scrollIntoView({ block: 'start' }); svg.focus({ preventScroll: true }) }
  return { section, show }
}

// A mark's RSTs: those from its first on at the same edge.
function belonging(t, mark) {
  const edge = t.rsts[mark.rst - 1]?.edge, found = []
  for (let i = mark.rst - 1; i < t.rsts.length && found.length < (mark.count || 1); i++) if (t.rsts[i].edge === edge) found.push(t.rsts[i])
  return found
}

function toolbar(t, chart, passed) {
  const button = (label, act, aria) => h('button', { type: 'button', onclick: act, 'aria-label': aria }, label)
  return h('div', { class: 'toolbar', role: 'toolbar', 'aria-label': 'zoom' },
    button('whole run', () => chart.show(t.from, t.to)),
    t.failovers.slice(0, 4).map((f) => button(`${f.kind} ${moment(f.at)}`, () => chart.show(f.at - f.total * 0.5 - 2000, f.at + f.total * 1.8 + 2000))),
    t.clusters.slice(0, 2).map((c) => button(`${c.what.split(',')[0]} ${moment(c.from)}`, () => chart.show(c.from - 60_000, c.from + 60_000))),
    passed && overlay(chart, passed),
    button('−', () => chart.scaleBy(1 / 2), 'zoom out'), button('+', () => chart.scaleBy(2), 'zoom in'),
    h('small', { class: 'hint' }, 'drag to pan, Ctrl + wheel or + − to zoom, ← → to move, n and p from mark to mark'))
}

// A button that lays the run that passed under this one, and takes it away again.
function overlay(chart, passed) {
  const button = h('button', { type: 'button', 'aria-pressed': 'false', onclick: async () => {
    const on = button.getAttribute('aria-pressed') !== 'true'
    const other = on ? await passed.load() : null
    if (on && !other) { button.replaceWith(h('small', {}, `${passed.name} has no time axis here`)); return }
    button.setAttribute('aria-pressed', String(on))
    chart.under(other)
  } }, `compare with ${passed.name}, which passed`)
  return button
}

class Chart {
  constructor(timeline, svg, tip, openRST) {
    this.timeline = timeline
    this.svg = svg
    this.tip = tip
    this.openRST = openRST
    this.range = Math.max(1000, timeline.to - timeline.from)
    this.zoom = zoom().scaleExtent([1, Math.max(2, this.range / 200)]).filter((e) => (e.type === 'wheel' ? e.ctrlKey || e.shiftKey : !e.button)).on('zoom', (e) => this.render(e.transform))
    select(svg).call(this.zoom).on('dblclick.zoom', null)
    this.transform = zoomIdentity
    this.clip = s('rect', {})
    this.scale = s('g', { class: 'scale' })
    this.bands = s('g', { class: 'bands', 'aria-hidden': 'true' })
    this.body = s('g', {})
    svg.append(s('defs', {}, s('clipPath', { id: 'lanes-clip' }, this.clip)), this.bands, this.scale, this.body)
  }

  /** On paper the axis shares a page with what broke: it has a fixed width, and the lanes that say most. */
  paper(on) {
    if (on === Boolean(this.onPaper)) return
    const width = this.width
    this.onPaper = on
    this.width = undefined
    this.resize(on ? paperWidth : (this.onScreen ?? width))
    if (on) this.onScreen = width
  }

  /** Lays the lanes out anew for a width; narrow ones have their names above the lane. */
  resize(width) {
    if (this.onPaper && width !== paperWidth) { this.onScreen = width; return }
    if (width === this.width || width < 50) return
    this.width = width
    this.narrow = width < 620
    this.left = this.narrow ? 28 : 172
    this.right = width - 30
    this.layout()
    this.zoom.extent([[this.left, 0], [this.right, this.tall]]).translateExtent([[this.left, 0], [this.right, this.tall]])
    select(this.svg).call(this.zoom.transform, zoomIdentity)
  }

  layout() {
    let y = head, last
    this.lanes = []
    this.body.replaceChildren()
    for (const lane of grouped(this.onPaper ? forPaper(this.timeline.lanes) : this.timeline.lanes)) {
      if (group(lane) !== last) {
        last = group(lane)
        this.body.append(s('text', { class: 'group', x: this.narrow ? 4 : 8, y: y + 15 }, last), s('line', { class: 'rule', x1: 0, x2: this.width, y1: y, y2: y }))
        y += heading
      }
      if (this.narrow) y += 13
      this.body.append(s('text', { class: 'lane-name', x: this.narrow ? 6 : this.left - 8, y: this.narrow ? y - 2 : y + Math.min(height(lane), 24) / 2 + 4, 'text-anchor': this.narrow ? 'start' : 'end' }, title(lane)))
      const g = s('g', { class: 'lane', transform: `translate(0,${y})`, role: 'group', 'aria-label': `${title(lane)} ${lane.of ?? ''}` })
      this.body.append(g)
      this.lanes.push({ lane, g })
      y += height(lane)
    }
    this.tall = y + 6
    this.svg.setAttribute('viewBox', `0 0 ${this.width} ${this.tall}`)
    this.svg.setAttribute('height', this.tall)
    for (const [name, value] of Object.entries({ x: this.left, y: -4, width: this.right - this.left, height: this.tall })) this.clip.setAttribute(name, value)
  }

  x() { return this.transform.rescaleX(scaleLinear([this.timeline.from, this.timeline.to], [this.left, this.right])) }

  render(transform) {
    this.transform = transform
    const x = this.x().range([this.left, this.right])
    const [from, to] = x.domain()
    this.tip.hide()
    select(this.scale).attr('transform', `translate(0,${head - 2})`).call(axisTop(x).ticks(this.narrow ? 3 : 7).tickSize(-(this.tall - head)).tickFormat((v) => moment(v, to - from)))
    const faults = this.timeline.lanes.find((l) => l.kind === 'faults')
    this.bands.replaceChildren(...(faults?.spans ?? []).filter((f) => f.to > from && f.from < to).map((f) => s('rect', { class: 'band', x: Math.max(this.left, x(f.from)), y: head, height: this.tall - head,
      width: Math.max(1, Math.min(this.right, x(f.to)) - Math.max(this.left, x(f.from))) })))
    for (const { lane, g } of this.lanes) draw(g, lane, x, this)
  }

  show(from, to) {
    const x = scaleLinear([this.timeline.from, this.timeline.to], [this.left, this.right])
    const k = Math.min(this.zoom.scaleExtent()[1], Math.max(1, (this.right - this.left) / Math.max(1e-6, x(to) - x(from))))
    select(this.svg).call(this.zoom.transform, zoomIdentity.translate(this.left - k * x(Math.max(from, this.timeline.from)), 0).scale(k))
  }

  /** Lays another run under this one, none for null. */
  under(other) {
    this.past = new Map((other?.lanes ?? []).map((lane) => [key(lane), lane]))
    this.render(this.transform)
  }

  /** The lane of the run that lies under this one. */
  pastOf(lane) { return this.past?.get(key(lane)) }

  scaleBy(k) { select(this.svg).call(this.zoom.scaleBy, k) }

  key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey) return
    const step = (this.right - this.left) / 6 / this.transform.k
    const act = { ArrowLeft: () => select(this.svg).call(this.zoom.translateBy, step, 0), ArrowRight: () => select(this.svg).call(this.zoom.translateBy, -step, 0),
      '+': () => this.scaleBy(1.6), '=': () => this.scaleBy(1.6), '-': () => this.scaleBy(1 / 1.6), 0: () => this.show(this.timeline.from, this.timeline.to), Home: () => this.show(this.timeline.from, this.timeline.to), Escape: () => this.tip.hide() }[e.key]
    if (!act) return
    e.preventDefault()
    act()
  }

  hover(element, words) {
    for (const [type, act] of [['pointerenter', () => this.tip.show(element, words)], ['pointerleave', () => this.tip.hide()], ['focus', () => this.tip.show(element, words)], ['blur', () => this.tip.hide()]]) element.addEventListener(type, act)
  }

  follow(element, words) {
    element.addEventListener('pointermove', (e) => this.tip.show(element, words((e.clientX - this.svg.getBoundingClientRect().left))))
    element.addEventListener('pointerleave', () => this.tip.hide())
  }

  open(element, marks) {
    element.addEventListener('click', () => this.openRST(marks, element))
    element.addEventListener('keydown', (e) => { if (e.key === 'Enter' || e.key === ' ') { e.preventDefault(); this.openRST(marks, element) } })
  }
}
