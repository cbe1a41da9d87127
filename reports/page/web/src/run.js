// One run: what broke, then when, then everything else.
import { h } from './dom.js'
import { badge, noise, rank, unexecuted } from './verdict.js'
import { fileLink, loadTimeline } from './data.js'
import { bytes, duration, moment, number, plural, where } from './format.js'
import { command } from './copy.js'
import { axis } from './axis.js'
import { damage } from './damage.js'
import { latencyTable } from './latency.js'
import { logs } from './logs.js'
import { script } from './script.js'
import { tables } from './tables.js'
import { waterfalls } from './waterfall.js'

export async function runView(article, report, index) {
  const run = report.suite.runs[index], row = report.suite.rows[run.row]
  article.append(...[
    h('h1', {}, badge(run.verdict), unexecuted(row), ' ', row.scenario, h('small', {}, ` ${where(row)}${row.settings?.length ? ` · ${row.settings.join(' ')}` : ''}`)),
    row.doc && h('p', { class: 'doc' }, row.doc),
    row.unexecuted?.length > 0 && h('ul', { class: 'unexecuted', 'aria-label': 'not executed' }, row.unexecuted.map((line) => h('li', {}, 'not executed: ', h('code', {}, line)))),
    repeats(report, row, index),
    broken(report, run, row)].filter(Boolean))
  article.append(...await when(report, run, index))
  article.append(...[figures(run, row), checks(run), evidence(report, run, index), facts(report, run)].filter(Boolean))
}

function repeats(report, row, index) {
  return row.runs.length > 1 && h('nav', { class: 'repeats', 'aria-label': 'repeats' }, row.runs.map((i, n) => h('a', { href: `#run-${i}`, 'aria-current': i === index && 'page',
    'aria-label': `run ${n + 1}, ${report.suite.runs[i].verdict}` }, badge(report.suite.runs[i].verdict, String(n + 1)))))
}

/** When everything happened. A time axis that is damaged is named; the rest of the run stands without it. */
async function when(report, run, index) {
  const problem = (text) => [h('p', { class: 'problem' }, text)]
  try {
    const timeline = await loadTimeline(index)
    if (!timeline) return problem(report.left.has(index) ? 'The time axis of this run was left out to keep the page under 5 MiB; a report of this run alone has it.' : 'There is no time axis: the run’s trace could not be read.')
    const { section, show } = axis(timeline, captures(report, index), passedBefore(report, index))
    return [section, latencyTable(timeline, show), damage(timeline, run, captures(report, index), show), tables(timeline, report, index), logs(timeline, show), script(run, timeline, show), waterfalls(timeline),
      timeline.cut.length > 0 && h('details', { class: 'cut' }, h('summary', {}, 'What the axis leaves out'), h('ul', {}, timeline.cut.map((c) => h('li', {}, c))))].filter(Boolean)
  } catch (error) {
    return problem(`The time axis of this run cannot be shown, it is damaged: ${error.message}`)
  }
}

/** The last run of the same row that passed before this one, or else the last that passed at all. */
function passedBefore(report, index) {
  const { runs } = report.suite.rows[report.suite.runs[index].row]
  const others = runs.filter((i) => i !== index && report.suite.runs[i].verdict === 'PASS')
  const last = others.filter((i) => runs.indexOf(i) < runs.indexOf(index)).at(-1) ?? others.at(-1)
  return last !== undefined && { name: `run ${runs.indexOf(last) + 1}`, load: () => loadTimeline(last) }
}

/** What most readers came for, before anything else: what broke, when, by whom, and whether it is noise. */
function broken(report, run, row) {
  const changed = changes(report, row)
  if (!run.answer?.length) return h('div', {}, run.reasons.length === 0 ? h('p', { class: 'calm' }, run.verdict === 'SKIP' ? 'It did not run.' : `Every check holds: ${measured(run, row)}.`) : list(run), changed)
  return h('section', { class: 'broken', 'aria-label': 'what broke' }, h('div', { class: 'answer' }, run.answer.map((sentence) => h('p', {}, sentence))), h('p', { class: 'noise' }, noise(row)), run.replay && command(run.replay), changed,
    h('details', {}, h('summary', {}, `${plural(run.reasons.length, 'reason')}, as the checks put ${run.reasons.length === 1 ? 'it' : 'them'}`), list(run)))
}

const telling = ['takeover_ms', 'handover_ms', 'gap_udp_max_ms', 'rst', 'lost']

const measured = (run, row) => telling.flatMap((name) => row.figures.filter((f) => f.name === name && name in (run.metrics ?? {})))
  .map((f) => `${f.title} ${number(run.metrics[f.name])}${f.unit && ` ${f.unit}`}`).join(', ') || 'no figure was measured'

const list = (run) => h('ul', { class: 'reasons' }, run.reasons.map((r) => h('li', {}, r)))

/** How the figures stand against the baseline, where they changed. */
function changes(report, row) {
  const c = report.suite.comparison
  const found = (c?.rows ?? []).filter((r) => r.scenario === [row.scenario, ...(row.settings ?? [])].join(' ') && r.world === row.world && ['worse', 'better'].includes(r.verdict))
  return found.length > 0 && h('ul', { class: 'reasons' }, found.map((r) => h('li', {}, badge(r.verdict), ` ${r.metric.replaceAll('_', ' ')} against ${c.base}: ${r.why}`)))
}

const captures = (report, index) => report.suite.runs[index].evidence.filter((e) => e.kind === 'capture').map((e) => ({ name: e.file, href: fileLink(report, index, e.file) }))

function figures(run, row) {
  const names = Object.keys(run.metrics ?? {}).sort()
  if (names.length === 0) return null
  const about = (name) => row.figures.find((f) => f.name === name)
  return h('section', {}, h('h2', {}, 'Figures'), h('dl', { class: 'figures' }, names.map((name) => h('div', {},
    h('dt', {}, about(name)?.title ?? name.replaceAll('_', ' ')),
    h('dd', {}, number(run.metrics[name]), h('small', {}, ` ${about(name)?.unit ?? (name.endsWith('_ms') ? 'ms' : '')}`)),
    (about(name)?.limits ?? []).map((l) => h('dd', { class: 'limit' }, badge(l.verdict, l.claim), ` in the window of line ${l.line}`))))))
}

function checks(run) {
  const list = [...run.checks].sort((a, b) => rank(a.verdict) - rank(b.verdict))
  if (list.length === 0) return null
  return h('section', {}, h('h2', {}, 'Checks'), h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'checks' }, h('table', { class: 'checks' },
    h('thead', {}, h('tr', {}, ['', 'check', 'expected, actual, window', 'line'].map((t) => h('th', { scope: 'col' }, t)))),
    h('tbody', {}, list.map((c) => h('tr', {}, h('td', {}, badge(c.verdict)), h('th', { scope: 'row' }, c.name, c.control && h('small', {}, ' control')), h('td', {}, c.detail), h('td', { class: 'number' }, c.line || '')))))),
    run.stored?.changed?.length > 0 && h('p', {}, `Judged anew: ${run.stored.changed.join('; ')}.`), run.stored?.only && h('p', {}, `Not judged anew: ${run.stored.only}.`))
}

function evidence(report, run, index) {
  if (run.evidence.length === 0 && !run.missing?.length) return null
  return h('section', {}, h('h2', {}, 'Evidence'), h('ul', { class: 'evidence' },
    run.evidence.map((e) => h('li', {}, h('a', { href: fileLink(report, index, e.file) }, e.file), h('small', {}, ` ${bytes(e.bytes)} · ${e.what}`), (e.cut ?? []).map((c) => h('div', { class: 'dim' }, c)))),
    (run.missing ?? []).map((m) => h('li', { class: 'dim' }, m))))
}

function facts(report, run) {
  const e = report.suite.environments[run.environment]
  return h('section', {}, h('h2', {}, 'About this run'), !run.answer?.length && run.replay && command(run.replay), h('p', { class: 'dim' },
    [`seed ${run.seed}`, run.began && `began ${run.began}`, run.took > 0 && `took ${duration(run.took)}`, plural(run.events, 'trace event'), run.dir,
      e && [e.baton && `baton ${e.baton}`, e.kernel && `Linux ${e.kernel}`, e.cores && plural(e.cores, 'core'), e.go].filter(Boolean).join(', ')].filter(Boolean).join(' · ')))
}
