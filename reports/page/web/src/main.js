// The page: the suite, or, with #run-N in the address, one run.
import { h } from './dom.js'
import { loadReport } from './data.js'
import { suiteView } from './suite.js'
import { runView } from './run.js'
import { themeButton } from './theme.js'
import { helpButton, listen } from './keys.js'

const page = document.getElementById('page')

async function show(report) {
  const index = /^#run-(\d+)$/.exec(location.hash)?.[1]
  const run = index === undefined ? undefined : report.suite.runs[index]
  const article = run && h('article', {})
  page.replaceChildren(
    h('header', { class: 'top' },
      h('a', { href: '#', class: 'brand' }, 'baton', h('span', {}, ' report')),
      run && h('nav', { 'aria-label': 'place' }, h('a', { href: '#' }, '← all scenarios')),
      h('span', { class: 'tools-of-page' }, helpButton(), themeButton())),
    article ?? suiteView(report))
  document.title = run ? `${report.suite.rows[run.row].scenario} · baton report` : 'baton report'
  scrollTo(0, 0)
  if (run) await runView(article, report, Number(index))
}

async function start() {
  try {
    const report = await loadReport()
    addEventListener('hashchange', () => show(report))
    await show(report)
    listen()
    performance.mark('interactive')
    document.documentElement.dataset.ready = 'true'
  } catch (error) {
    page.replaceChildren(h('p', { class: 'problem', role: 'alert' }, `The report cannot be shown: ${error.message}`))
    throw error
  }
}

start()
