// Who sent a RST: everything that the trace has of it.
import { h } from './dom.js'
import { length, moment, plural } from './format.js'

const around = 50_000 // µs before and after a RST within which things are listed

/** The panel of the RSTs of one mark: the first, with steps to the others. */
export function attribution(timeline, rsts, captures, close) {
  let n = 0
  const body = h('div', {})
  const show = (to) => { n = (to + rsts.length) % rsts.length; body.replaceChildren(...details(timeline, rsts[n], captures).filter(Boolean)); where.textContent = `${n + 1} of ${rsts.length}` }
  const where = h('span', {})
  const panel = h('aside', { class: 'panel', role: 'dialog', 'aria-label': 'attribution of a RST', tabindex: '-1', onkeydown: (e) => { if (e.key === 'Escape') { e.stopPropagation(); close() } } },
    h('div', { class: 'panel-top' }, h('h3', {}, 'Who sent this RST'),
      rsts.length > 1 && h('span', { class: 'steps' }, h('button', { type: 'button', 'aria-label': 'the RST before', onclick: () => show(n - 1) }, '‹'), where, h('button', { type: 'button', 'aria-label': 'the next RST', onclick: () => show(n + 1) }, '›')),
      h('button', { type: 'button', class: 'close', 'aria-label': 'close', onclick: close }, '✕')), body)
  show(0)
  return panel
}

function details(t, r, captures) {
  const rows = [
    ['at', moment(r.at, 1e3)], ['flow', r.flow], ['made by', r.origin || r.sender], r.origin && r.sender !== r.origin && ['passed on by', r.sender],
    ['seen at', `the ${r.edge} edge`], ['load balancer', r.lb ? `${r.lb}, ${r.role ? `then ${r.role}` : 'of no role'}` : 'none on its way'],
    ['its entry for the flow', r.entry || 'unknown'], ['last fault before', r.fault || 'none'], r.session && ['session', r.session], ['sequence number', r.seq],
  ].filter(Boolean)
  return [h('dl', { class: 'facts' }, rows.map(([name, value]) => h('div', { class: name === 'flow' && 'wide' }, h('dt', {}, name), h('dd', {}, value)))),
    h('h4', {}, 'At that moment'), h('ul', {}, states(t, r.at).map((x) => h('li', {}, x))),
    h('h4', {}, `Within ${length(around)} of it`), h('ul', { class: 'near' }, nearby(t, r.at)),
    ...packets(t, r, captures)]
}

/** What held at an instant, of the lanes that say who was what. */
const states = (t, at) => t.lanes.filter((l) => ['role', 'gates', 'lease', 'faults'].includes(l.kind)).flatMap((l) => l.spans.filter((x) => x.from <= at && at < x.to)
  .map((x) => `${[l.of, l.kind === 'faults' ? 'fault' : l.kind].filter(Boolean).join(' ')}: ${x.state}, since ${moment(x.from, 1e6)}`))

function nearby(t, at) {
  const found = []
  for (const l of t.lanes) {
    if (l.kind === 'rst' || l.kind === 'gaps') continue
    for (const m of l.marks) if (Math.abs(m.at - at) <= around) found.push({ at: m.at, what: `${m.what}${m.count > 1 ? ` (${m.count})` : ''}` })
    if (['role', 'bfd', 'gates', 'sync', 'lease'].includes(l.kind)) for (const x of l.spans) if (Math.abs(x.from - at) <= around) found.push({ at: x.from, what: `${[l.of, l.name || l.kind].join(' ')}: ${x.what || x.state}` })
  }
  if (found.length === 0) return h('li', { class: 'dim' }, 'nothing else in the trace')
  const near = found.sort((a, b) => Math.abs(a.at - at) - Math.abs(b.at - at)).slice(0, 14).sort((a, b) => a.at - b.at)
  return [near.map((x) => h('li', {}, h('code', {}, `${x.at < at ? '−' : '+'}${length(Math.abs(x.at - at))}`), ` ${x.what}`)), found.length > near.length && h('li', { class: 'dim' }, `and ${plural(found.length - near.length, 'more', 'more')}`)]
}

function packets(t, r, captures) {
  const frames = t.frames.filter((f) => Math.abs(f.at - r.at) <= around).sort((a, b) => Math.abs(a.at - r.at) - Math.abs(b.at - r.at)).slice(0, 10).sort((a, b) => a.at - b.at)
  const link = kept(captures, r)
  if (frames.length === 0) return [h('h4', {}, 'Packets'), link]
  return [h('h4', {}, 'Packets around it'), h('ul', { class: 'near' }, frames.map((f) => h('li', {}, h('code', {}, `${f.at < r.at ? '−' : '+'}${length(Math.abs(f.at - r.at))}`), ` ${f.edge} ${f.text}`))), link]
}

/** Where all packets are: in the capture of the RST's own edge, if one was kept. */
function kept(captures, r) {
  const own = captures.find((c) => c.name.includes(r.edge))
  if (own) return h('p', {}, h('a', { href: own.href }, own.name), ' has the packets around it; in Wireshark: ', h('code', {}, `tcp.flags.reset == 1 && tcp.seq_raw == ${r.seq}`))
  return h('p', { class: 'dim' }, `No capture of the ${r.edge} edge was kept`, captures.length > 0 && [', but ', h('a', { href: captures[0].href }, captures[0].name)], '.')
}
