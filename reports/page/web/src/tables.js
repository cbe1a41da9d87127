// The connection tables of both nodes side by side: how they differ, then the first flows.
import { h } from './dom.js'
import { fileLink } from './data.js'
import { number } from './format.js'

export function tables(timeline, report, index) {
  const t = timeline.tables
  if (!t) return null
  return h('section', { class: 'tables' }, h('h2', {}, 'Connection tables'),
    h('ul', { class: 'says' }, t.says.map((s) => h('li', {}, s))),
    t.rows.length > 0 && h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'connection tables' }, h('table', { class: 'lines' },
      h('thead', {}, h('tr', {}, ['flow', ...t.nodes.map((n) => `${n.node} has`), 'client'].map((name) => h('th', { scope: 'col' }, name)))),
      h('tbody', {}, t.rows.map((row) => h('tr', { class: row.tone }, h('td', {}, h('code', {}, row.flow)),
        row.entries.map((e) => h('td', {}, e ? h('code', {}, e) : h('span', { class: 'dim' }, 'no entry'))), h('td', {}, row.harm ?? '')))))),
    h('p', { class: 'calm' }, `${number(t.rows.length)} of ${number(t.of)} flows. `, t.nodes.map((n) => [n.file ? h('a', { href: fileLink(report, index, n.file) }, n.file) : n.node, ` (${n.what}) `])))
}
