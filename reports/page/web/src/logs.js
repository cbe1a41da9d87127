// What the nodes wrote around the moment that matters most; each line leads to its moment
// on the time axis.
import { h } from './dom.js'
import { moment } from './format.js'

export function logs(timeline, show) {
  if (timeline.logs.length === 0) return null
  return h('section', {}, h('h2', {}, 'What the nodes wrote'), h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'log lines' },
    h('table', { class: 'script' }, h('tbody', {}, timeline.logs.map((line) => h('tr', {},
      h('td', { class: 'number' }, h('button', { type: 'button', 'aria-label': `show ${moment(line.at, 1e6)} on the time axis`, onclick: () => show(line.at) }, moment(line.at, 1e6))),
      h('th', { scope: 'row' }, line.node), h('td', {}, h('code', {}, line.text))))))))
}
