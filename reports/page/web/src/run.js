// One run: what broke, then when, then everything else.
import { h } from './dom.js'
import { badge, rank } from './verdict.js'
import { fileLink, loadTimeline } from './data.js'
import { bytes, duration, moment, number, plural } from './format.js'
import { command } from './copy.js'
import { axis } from './axis.js'
import { waterfalls } from './waterfall.js'

export async function runView(article, report, index) {
  const run = report.suite.runs[index], row = report.suite.rows[run.row]
  article.append(...[
    h('h1', {}, badge(run.verdict), ' ', row.scenario, h('small', {}, ` ${row.world}${row.settings?.length ? ` · ${row.settings.join(' ')}` : ''}`)),
    row.doc && h('p', { class: 'doc' }, row.doc),
    repeats(report, row, index),
    reasons(run)].filter(Boolean))
  const timeline = await loadTimeline(index)
  if (timeline) {
    article.append(...[answer(timeline), axis(timeline, captures(report, index)), waterfalls(timeline),
      timeline.cut.length > 0 && h('details', { class: 'cut' }, h('summary', {}, 'What the axis leaves out'), h('ul', {}, timeline.cut.map((c) => h('li', {}, c))))].filter(Boolean))
  } else {
    article.append(h('p', { class: 'problem' }, report.left.has(index)
      ? 'The time axis of this run was left out to keep the page under 5 MiB; a report of this run alone has it.'
      : 'There is no time axis: the run’s trace could not be read.'))
  }
  article.append(...[figures(run, row), checks(run), evidence(report, run, index), facts(report, run)].filter(Boolean))
}

function repeats(report, row, index) {
  return row.runs.length > 1 && h('nav', { class: 'repeats', 'aria-label': 'repeats' }, row.runs.map((i, n) => h('a', { href: `#run-${i}`, 'aria-current': i === index && 'page',
    'aria-label': `run ${n + 1}, ${report.suite.runs[i].verdict}` }, badge(report.suite.runs[i].verdict, String(n + 1)))))
}

function reasons(run) {
  if (run.reasons.length === 0) return h('p', { class: 'calm' }, 'Every check holds.')
  return h('ul', { class: `reasons ${run.verdict === 'PASS' ? '' : 'loud'}` }, run.reasons.map((r) => h('li', {}, r)))
}

/** The one sentence that most readers came for. */
function answer(t) {
  const first = t.rsts[0]
  if (!first) return null
  const who = first.origin || first.sender
  return h('p', { class: 'answer' }, h('b', {}, `${plural(t.rsts.length, 'RST')}, the first at ${moment(first.at)}`), `: sent by ${who}`,
    first.lb && `, while ${first.lb} was ${first.role || 'of no role'} and had ${first.entry && first.entry !== 'none' ? `the flow as “${first.entry}”` : 'no entry for the flow'}`,
    first.fault && `; the last fault was ${first.fault}`, '.')
}

const captures = (report, index) => report.suite.runs[index].evidence.filter((e) => e.kind === 'capture').map((e) => ({ name: e.file, href: fileLink(report, index, e.file) }))

function figures(run, row) {
  const names = Object.keys(run.metrics ?? {}).sort()
  if (names.length === 0) return null
  const about = (name) => row.figures.find((f) => f.name === name)
  return h('section', {}, h('h2', {}, 'Figures'), h('dl', { class: 'figures' }, names.map((name) => h('div', {},
    h('dt', {}, about(name)?.title ?? name.replaceAll('_', ' ')),
    h('dd', {}, number(run.metrics[name]), h('small', {}, ` ${about(name)?.unit ?? (name.endsWith('_ms') ? 'ms' : '')}`)),
    (about(name)?.limits ?? []).map((l) => h('dd', { class: 'limit' }, badge(l.verdict, l.claim)))))))
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
  return h('section', {}, h('h2', {}, 'Run it again'), run.replay && command(run.replay), h('p', { class: 'dim' },
    [`seed ${run.seed}`, run.began && `began ${run.began}`, run.took > 0 && `took ${duration(run.took)}`, plural(run.events, 'trace event'), run.dir,
      e && [e.baton && `baton ${e.baton}`, e.kernel && `Linux ${e.kernel}`, e.cores && plural(e.cores, 'core'), e.go].filter(Boolean).join(', ')].filter(Boolean).join(' · ')))
}
