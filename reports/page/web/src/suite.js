// The suite: the verdicts, what broke, then every scenario.
import { h } from './dom.js'
import { badge } from './verdict.js'
import { plural } from './format.js'
import { strip } from './strip.js'
import { causes } from './causes.js'
import { table } from './table.js'
import { searches } from './search.js'
import { coverage } from './coverage.js'
import { comparison, history } from './trends.js'

export function suiteView(report) {
  const { suite } = report
  const rows = table(report)
  return h('article', { class: 'suite' },
    h('h1', {}, badge(suite.outcome), ' ', headline(suite)),
    strip(suite, rows.only),
    causes(report),
    problems(suite.problems),
    rows.section,
    suite.comparison && comparison(suite.comparison),
    suite.history && history(suite.history),
    coverage(suite),
    searches(suite),
    environments(suite))
}

function headline(suite) {
  const bad = suite.rows.filter((row) => row.failed + row.inconclusive > 0).length
  if (suite.runs.length === 0) return 'no runs'
  return bad === 0 ? `${plural(suite.rows.length, 'scenario')}, nothing broke` : `${bad} of ${plural(suite.rows.length, 'scenario')} broke`
}

function problems(list) {
  return list.length > 0 && h('section', { class: 'problems', 'aria-label': 'problems of the input' },
    h('h2', {}, `${plural(list.length, 'problem')} of the input`),
    h('ul', {}, list.map((p) => h('li', {}, h('code', {}, p.line ? `${p.file}:${p.line}` : p.file), ` ${p.what}`, p.kept && h('small', {}, ` — ${p.kept}`)))))
}

function environments(suite) {
  if (suite.environments.length === 0) return null
  return h('section', {}, h('h2', {}, 'Environment'), h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'environments' }, h('table', {},
    h('thead', {}, h('tr', {}, ['kernel', 'arch', 'CPU', 'cores', 'Go', 'baton', 'runs'].map((t) => h('th', { scope: 'col' }, t)))),
    h('tbody', {}, suite.environments.map((e) => h('tr', {}, [e.kernel, e.arch, e.cpu, e.cores, e.go, e.baton, e.runs].map((v) => h('td', {}, v || '–'))))))))
}
