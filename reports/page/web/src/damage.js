// The packets around each cluster of damage, the largest first.
import { h } from './dom.js'
import { length, moment, plural } from './format.js'

const around = 50_000 // µs before and after a cluster's begin within which packets are shown
const most = 16

export function damage(timeline, run, captures, show) {
  if (timeline.clusters.length === 0) return null
  return h('section', {}, h('h2', {}, 'Packets around the damage'), timeline.clusters.map((c, i) => cluster(timeline, run, captures, c, i === 0, show)))
}

function cluster(t, run, captures, c, open, show) {
  const frames = near(t.frames, c.from)
  return h('details', { class: 'cluster', open },
    h('summary', {}, h('b', {}, c.what), h('small', {}, ` ${moment(c.to) !== moment(c.from) ? `from ${moment(c.from)} to ${moment(c.to)}` : `at ${moment(c.from)}`}`)),
    frames.length > 0 ? packets(frames, c.from) : h('p', { class: 'calm' }, lacking(run, captures)),
    h('p', { class: 'more' }, h('button', { type: 'button', 'aria-label': `show ${moment(c.from)} on the time axis`, onclick: () => show(c.from) }, `show ${moment(c.from)}`),
      captures.map((capture) => [' all packets: ', h('a', { href: capture.href }, capture.name)])))
}

const near = (frames, at) => frames.filter((f) => Math.abs(f.at - at) <= around).sort((a, b) => Math.abs(a.at - at) - Math.abs(b.at - at)).slice(0, most).sort((a, b) => a.at - b.at)

function packets(frames, from) {
  return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'packets' }, h('table', { class: 'lines' },
    h('thead', {}, h('tr', {}, ['from its begin', 'port', 'packet'].map((t, i) => h('th', { scope: 'col', class: i === 0 && 'number' }, t)))),
    h('tbody', {}, frames.map((f) => h('tr', { class: / RST/.test(f.text) && 'bad' },
      h('td', { class: 'number' }, `${f.at < from ? '−' : '+'}${length(Math.abs(f.at - from))}`), h('td', {}, f.edge), h('td', {}, h('code', {}, f.text)))))))
}

/** Why there are no packets. */
const lacking = (run, captures) => (captures.length > 0 ? 'The capture has no packet within 50 ms of it.'
  : run.missing?.find((m) => m.startsWith('capture')) ?? `No capture was kept: ${plural(run.evidence.length, 'file')} of evidence.`)
