// The suite: what came of all runs, failures first.
import { h } from './dom.js'
import { badge, noise, rank, unexecuted } from './verdict.js'
import { number, percent, plural } from './format.js'
import { sparkline } from './sparkline.js'
import { command } from './copy.js'
import { searches } from './search.js'
import { comparison, history } from './trends.js'

// The figures of the table, the most telling ones first; a run's page has all.
const columns = ['takeover_ms', 'handover_ms', 'gap_udp_max_ms', 'gap_tcp_p50_ms', 'rst', 'lost', 'sync_ms']

export function suiteView(report) {
  const { suite } = report
  return h('article', { class: 'suite' },
    h('h1', {}, badge(suite.outcome), ' ', headline(suite)),
    failures(report),
    problems(suite.problems),
    table(report),
    suite.comparison && comparison(suite.comparison),
    suite.history && history(suite.history),
    searches(suite),
    environments(suite))
}

function headline(suite) {
  const parts = Object.entries(suite.counts ?? {}).filter(([, n]) => n > 0).sort(([a], [b]) => rank(a) - rank(b))
    .map(([verdict, n]) => `${number(n)} ${verdict}`)
  return h('span', { class: 'headline' }, `${parts.join(', ') || 'no runs'} `,
    h('small', {}, `${plural(suite.runs.length, 'run')} of ${plural(suite.rows.length, 'scenario')}, ${plural(suite.events, 'trace event')}`))
}

function problems(list) {
  return list.length > 0 && h('section', { class: 'problems', 'aria-label': 'problems of the input' },
    h('h2', {}, `${plural(list.length, 'problem')} of the input`),
    h('ul', {}, list.map((p) => h('li', {}, h('code', {}, p.line ? `${p.file}:${p.line}` : p.file), ` ${p.what}`, p.kept && h('small', {}, ` — ${p.kept}`)))))
}

/** The run that a row opens: the worst, and of these the last. */
const telling = (report, row) => row.runs.reduce((best, i) => (rank(report.suite.runs[i].verdict) <= rank(report.suite.runs[best].verdict) ? i : best), row.runs[0])

function table(report) {
  const { suite } = report
  const used = columns.filter((name) => suite.rows.some((row) => row.figures.some((f) => f.name === name)))
  const title = (name) => suite.rows.flatMap((row) => row.figures).find((f) => f.name === name)
  const rows = [...suite.rows].sort((a, b) => trouble(a) - trouble(b) || a.scenario.localeCompare(b.scenario) || a.world.localeCompare(b.world))
  return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'scenarios' }, h('table', { class: 'rows' },
    h('thead', {}, h('tr', {}, ['verdict', 'scenario', 'world', 'runs'].map((t) => h('th', { scope: 'col' }, t)),
      used.map((name) => h('th', { scope: 'col', class: 'number' }, title(name).title, title(name).unit && h('small', {}, ` ${title(name).unit}`))),
      h('th', { scope: 'col' }, 'trend'), h('th', { scope: 'col', class: 'number' }, 'flakes'))),
    h('tbody', {}, rows.map((row) => line(report, row, used)))))
}

const trouble = (row) => rank(row.verdict) * 2 - (row.control && !row.control.caught ? 1 : 0)

function line(report, row, used) {
  const open = telling(report, row)
  const by = (name) => row.figures.find((f) => f.name === name)
  const main = row.figures.find((f) => columns.slice(0, 4).includes(f.name) && f.values?.length > 1) ?? row.figures.find((f) => f.values?.length > 1)
  return h('tr', { class: 'row', onclick: (e) => { if (!e.target.closest('a,button')) location.hash = `#run-${open}` } },
    h('td', {}, badge(row.verdict), unexecuted(row)),
    h('th', { scope: 'row' }, open === undefined ? row.scenario : h('a', { href: `#run-${open}`, title: row.doc }, row.scenario),
      row.settings?.length > 0 && h('small', {}, ` ${row.settings.join(' ')}`),
      row.control && h('div', { class: 'control' }, row.control.caught ? badge('PASS', 'caught') : badge('FAIL', 'not caught'), ` control for ${row.control.checks.join(', ')}`)),
    h('td', {}, row.world, row.sut && row.sut !== 'reference' && ` ${row.sut}`),
    h('td', {}, tally(row)),
    used.map((name) => cell(by(name), row.control?.caught)),
    h('td', {}, main ? h('span', { title: main.title }, sparkline(main.values, main.unit)) : h('span', { class: 'dim' }, '–')),
    h('td', { class: 'number' }, row.passed + row.failed > 1 ? percent(row.flake_rate) : h('span', { class: 'dim' }, '–')))
}

function tally(row) {
  const parts = [[row.failed, '✕', 'failed'], [row.inconclusive, '?', 'inconclusive'], [row.passed, '✓', 'passed'], [row.skipped, '–', 'skipped']].filter(([n]) => n > 0)
  return h('span', { title: parts.map(([n, , word]) => `${n} ${word}`).join(', ') }, parts.map(([n, sign]) => `${sign}${n}`).join(' '))
}

function cell(f, wanted) { // a control is there to break limits
  const failed = !wanted && f?.limits?.some((l) => l.verdict === 'FAIL')
  const title = f && [f.values?.length > 1 && `${number(f.min)} to ${number(f.max)}`, ...(f.limits ?? []).map((l) => `${l.claim}: ${l.verdict}`)].filter(Boolean).join('\n')
  return h('td', { class: `number${failed ? ' bad' : ''}`, title }, failed && '✕ ', f ? number(f.median) : h('span', { class: 'dim' }, '–'))
}

const shown = 8 // scenarios told before the table; the others are folded

/** What broke, a scenario each: the answer of its most telling run, and the command that replays it. */
function failures(report) {
  const bad = report.suite.rows.filter((row) => rank(row.verdict) < rank('PASS')).sort((a, b) => trouble(a) - trouble(b))
  if (bad.length === 0) return null
  const items = bad.map((row) => failure(report, row))
  return h('section', {}, h('h2', {}, 'What broke'), items.slice(0, shown),
    items.length > shown && h('details', {}, h('summary', {}, `and ${plural(items.length - shown, 'scenario')} more`), items.slice(shown)))
}

function failure(report, row) {
  const i = telling(report, row), run = report.suite.runs[i]
  const others = row.runs.filter((n) => n !== i && rank(report.suite.runs[n].verdict) < rank('PASS'))
  return h('div', { class: 'failure' },
    h('h3', {}, badge(run.verdict), ' ', h('a', { href: `#run-${i}` }, row.scenario), h('small', {}, ` ${[row.world, ...(row.settings ?? []), `seed ${run.seed}`].join(' · ')}`)),
    h('div', { class: 'answer' }, (run.answer ?? run.reasons.slice(0, 1)).map((sentence) => h('p', {}, sentence))),
    h('p', { class: 'noise' }, noise(row), others.length > 0 && [' The others: ', others.slice(0, 20).map((n) => [h('a', { href: `#run-${n}` }, `seed ${report.suite.runs[n].seed}`), ' ']), others.length > 20 && `and ${others.length - 20} more`]),
    run.replay && command(run.replay))
}

function environments(suite) {
  if (suite.environments.length === 0) return null
  return h('section', {}, h('h2', {}, 'Environment'), h('div', { class: 'scroll' }, h('table', {},
    h('thead', {}, h('tr', {}, ['kernel', 'arch', 'CPU', 'cores', 'Go', 'baton', 'runs'].map((t) => h('th', { scope: 'col' }, t)))),
    h('tbody', {}, suite.environments.map((e) => h('tr', {}, [e.kernel, e.arch, e.cpu, e.cores, e.go, e.baton, e.runs].map((v) => h('td', {}, v || '–'))))))))
}

