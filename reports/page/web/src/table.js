// The scenarios: one line each, that can be searched, filtered by verdict and sorted.
import { h } from './dom.js'
import { badge, rank, unexecuted } from './verdict.js'
import { number, percent, plural, where } from './format.js'
import { sparkline } from './sparkline.js'

// The figures of the table, the most telling ones first; a run's page has all.
const figures = ['takeover_ms', 'handover_ms', 'gap_udp_max_ms', 'gap_tcp_p50_ms', 'rst', 'lost', 'sync_ms']

/** The table's section, and only(verdict), which shows the rows of one verdict, or of all. */
export function table(report) {
  const { suite } = report
  const columns = columnsOf(suite)
  const lines = suite.rows.map((row) => ({ row, text: words(row), element: line(report, row, columns) }))
  const body = h('tbody', {})
  const left = h('small', { role: 'status' })
  let verdict, order = { by: columns[0], up: true }
  const search = h('input', { type: 'search', id: 'search', placeholder: 'search scenarios ( / )', 'aria-label': 'search scenarios', oninput: () => show() })
  const heads = columns.map((c) => h('th', { scope: 'col', class: c.number && 'number', 'aria-sort': 'none' },
    h('button', { type: 'button', class: 'sort', onclick: () => { order = { by: c, up: order.by === c ? !order.up : true }; show() } }, c.title, c.unit && h('small', {}, ` ${c.unit}`))))

  function show() {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean)
    const kept = lines.filter(({ row, text }) => (!verdict || row.verdict === verdict) && wanted.every((w) => text.includes(w)))
    kept.sort((a, b) => (order.up ? 1 : -1) * compare(order.by.key(a.row), order.by.key(b.row)) || trouble(a.row) - trouble(b.row) || a.row.scenario.localeCompare(b.row.scenario) || a.row.world.localeCompare(b.row.world))
    body.replaceChildren(...kept.map((l) => l.element))
    heads.forEach((head, i) => head.setAttribute('aria-sort', columns[i] !== order.by ? 'none' : order.up ? 'ascending' : 'descending'))
    left.textContent = kept.length < lines.length ? `${number(kept.length)} of ${plural(lines.length, 'scenario')}` : ''
  }
  show()
  return {
    only: (v) => { verdict = v; show() },
    section: h('section', { 'aria-label': 'scenarios' }, h('div', { class: 'tools' }, search, left),
      h('div', { class: 'scroll tall', tabindex: '0', role: 'region', 'aria-label': 'table of scenarios' }, h('table', { class: 'rows' }, h('thead', {}, h('tr', {}, heads)), body))),
  }
}

/** Each column: its title, its cell of a row, and the key that it sorts by; undefined sorts last. */
function columnsOf(suite) {
  const used = figures.filter((name) => suite.rows.some((row) => by(row, name)))
  const about = (name) => suite.rows.map((row) => by(row, name)).find(Boolean)
  return [
    { title: 'verdict', key: trouble, cell: (row) => [badge(row.verdict), unexecuted(row)] },
    { title: 'scenario', key: (row) => row.scenario, head: true },
    { title: 'world', key: (row) => row.world, cell: where },
    { title: 'runs', key: (row) => -row.runs.length, cell: tally },
    ...used.map((name) => ({ title: about(name).title, unit: about(name).unit, number: true, key: (row) => (by(row, name) ? -by(row, name).median : undefined), figure: name })),
    { title: 'trend', key: (row) => -row.runs.length, cell: trend },
    { title: 'flakes', number: true, key: (row) => -(row.flake_rate ?? 0), cell: (row) => (row.passed + row.failed > 1 ? percent(row.flake_rate) : none()) },
  ]
}

const by = (row, name) => row.figures.find((f) => f.name === name)

const none = () => h('span', { class: 'dim' }, '–')

function compare(a, b) {
  if (a === undefined || b === undefined) return (a === undefined) - (b === undefined)
  return typeof a === 'string' ? a.localeCompare(b) : a - b
}

/** What matters most first: failures, and before them controls that were not caught. */
const trouble = (row) => rank(row.verdict) * 2 - (row.control && !row.control.caught ? 1 : 0)

/** What a search looks at. */
const words = (row) => [row.scenario, row.world, row.verdict, row.sut, row.doc, ...(row.settings ?? [])].join(' ').toLowerCase()

/** The run that a row opens: the worst, and of these the last. */
const telling = (report, row) => row.runs.reduce((best, i) => (rank(report.suite.runs[i].verdict) <= rank(report.suite.runs[best].verdict) ? i : best), row.runs[0])

function line(report, row, columns) {
  const open = telling(report, row)
  return h('tr', { class: 'row', onclick: (e) => { if (!e.target.closest('a,button')) location.hash = `#run-${open}` } }, columns.map((c) => {
    if (c.head) return title(row, open)
    if (c.figure) return cell(by(row, c.figure), row.control?.caught)
    return h('td', { class: c.number && 'number' }, c.cell(row))
  }))
}

function title(row, open) {
  return h('th', { scope: 'row' }, open === undefined ? row.scenario : h('a', { href: `#run-${open}`, title: row.doc }, row.scenario),
    row.settings?.length > 0 && h('small', {}, ` ${row.settings.join(' ')}`),
    row.control && h('div', { class: 'control' }, row.control.caught ? badge('PASS', 'caught') : badge('FAIL', 'not caught'), ` control for ${row.control.checks.join(', ')}`))
}

function trend(row) {
  const main = row.figures.find((f) => figures.slice(0, 4).includes(f.name) && f.values?.length > 1) ?? row.figures.find((f) => f.values?.length > 1)
  return main ? h('span', { title: main.title }, sparkline(main.values, main.unit)) : none()
}

function tally(row) {
  const parts = [[row.failed, '✕', 'failed'], [row.inconclusive, '?', 'inconclusive'], [row.passed, '✓', 'passed'], [row.skipped, '–', 'skipped']].filter(([n]) => n > 0)
  return h('span', { title: parts.map(([n, , word]) => `${n} ${word}`).join(', ') }, parts.map(([n, sign]) => `${sign}${n}`).join(' '))
}

function cell(f, wanted) { // a control is there to break limits
  const failed = !wanted && f?.limits?.some((l) => l.verdict === 'FAIL')
  const about = f && [f.values?.length > 1 && `${number(f.min)} to ${number(f.max)}`, ...(f.limits ?? []).map((l) => `${l.claim}: ${l.verdict}`)].filter(Boolean).join('\n')
  return h('td', { class: `number${failed ? ' bad' : ''}`, title: about }, failed && '✕ ', f ? number(f.median) : none())
}
