// What the simulator's searches and the planted bugs came to.
import { h } from './dom.js'
import { badge } from './verdict.js'
import { duration, number, plural } from './format.js'
import { command } from './copy.js'

export function searches(suite) {
  return [suite.campaigns.length > 0 && h('section', {}, h('h2', {}, 'Searches of the simulator'), suite.campaigns.map(campaign)), suite.mutants && mutants(suite.mutants)]
}

function campaign(c) {
  const violations = c.violations ?? []
  const verdict = violations.length > 0 ? 'FAIL' : c.interrupted || c.lacking?.length || c.done < c.planned ? 'INCONCLUSIVE' : 'PASS'
  return h('div', { class: 'campaign' },
    h('h3', {}, badge(verdict), ` ${c.title}`),
    h('p', {}, [c.planned > 0 ? `${number(c.done)} of ${number(c.planned)} done` : `${number(c.done)} done`, c.depth && `depth ${c.depth}`,
      c.inconclusive > 0 && `${number(c.inconclusive)} inconclusive`, c.simulated > 0 && `${duration(c.simulated)} simulated`, c.took > 0 && `in ${duration(c.took)}`,
      c.shards > 1 && plural(c.shards, 'shard'), c.lacking?.length > 0 && `no result of shard ${c.lacking.join(', ')}`, c.interrupted && 'interrupted', ...(c.figures ?? [])].filter(Boolean).join(' · ')),
    violations.map((v) => h('div', { class: 'failure' }, h('p', {}, `seed ${v.seed}, ${v.check}: ${v.reason}`), v.replay && command(v.replay), v.shrink && command(v.shrink))))
}

function mutants(m) {
  const list = [...(m.mutants ?? [])].sort((a, b) => (a.outcome === 'killed') - (b.outcome === 'killed') || a.name.localeCompare(b.name))
  return h('section', {}, h('h2', {}, 'Mutants ', badge(m.survived > 0 ? 'survived' : 'killed', `${m.killed} killed, ${m.survived} survived${m.stale ? `, ${m.stale} stale` : ''}`)),
    h('details', { open: m.survived > 0 }, h('summary', {}, plural(list.length, 'planted bug')), h('div', { class: 'scroll' }, h('table', {},
      h('thead', {}, h('tr', {}, ['', 'bug', 'found by', 'where'].map((t) => h('th', { scope: 'col' }, t)))),
      h('tbody', {}, list.map((x) => h('tr', {}, h('td', {}, badge(x.outcome)), h('th', { scope: 'row' }, x.name), h('td', {}, x.check), h('td', {}, x.where))))))))
}
