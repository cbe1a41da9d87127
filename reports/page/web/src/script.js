// The scenario of a run: each line with what the checks made of it and when its step
// began; both lead to that moment on the time axis.
import { h } from './dom.js'
import { badge, rank } from './verdict.js'
import { moment } from './format.js'

export function script(run, timeline, show) {
  if (!timeline?.script?.length) return null
  const checks = Map.groupBy(run.checks.filter((c) => c.line > 0), (c) => c.line)
  return h('section', {}, h('h2', {}, 'The scenario'), h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'scenario' },
    h('table', { class: 'script' }, h('tbody', {}, timeline.script.map((line, i) => row(line, i + 1, checks.get(i + 1) ?? [], show))))))
}

function row(line, number, checks, show) {
  const worst = [...checks].sort((a, b) => rank(a.verdict) - rank(b.verdict))[0]
  const go = (at) => h('button', { type: 'button', 'aria-label': `show ${moment(at)} on the time axis`, onclick: () => show(at) }, moment(at))
  return h('tr', { class: worst && rank(worst.verdict) < rank('PASS') ? 'bad' : undefined, id: `line-${number}` },
    h('td', { class: 'number dim' }, number),
    h('td', {}, h('code', { class: line.text.trimStart().startsWith('#') && 'dim' }, line.text)),
    h('td', {}, worst && h('span', { title: checks.map((c) => c.detail).join('\n') }, badge(worst.verdict))),
    h('td', { class: 'number' }, worst?.failed ? go(worst.failed.from) : line.began !== undefined && go(line.began)))
}
