// Keys that hold everywhere: search, the next mark, help.
import { h } from './dom.js'

const help = [['/', 'search the scenarios'], ['n, p', 'the next mark of the time axis, the one before'], ['Enter', 'on a RST: who sent it'],
  ['← →, + −, 0', 'pan, zoom, the whole run, with the axis in focus'], ['Esc', 'close'], ['?', 'this list']]

const dialog = h('dialog', { class: 'help', 'aria-label': 'keys' }, h('h2', {}, 'Keys'),
  h('dl', {}, help.map(([key, what]) => h('div', {}, h('dt', {}, h('kbd', {}, key)), h('dd', {}, what)))),
  h('button', { type: 'button', onclick: () => dialog.close() }, 'close'))

/** Listens to the keys of the page, whatever it shows. */
export function listen() {
  document.body.append(dialog)
  addEventListener('keydown', (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest?.('input, textarea, select')) return
    const act = { '/': search, '?': () => dialog.showModal(), n: () => step(1), p: () => step(-1) }[e.key]
    if (act?.() !== false && act) e.preventDefault()
  })
}

export const helpButton = () => h('button', { type: 'button', 'aria-label': 'keys', onclick: () => dialog.showModal() }, '?')

function search() {
  const field = document.getElementById('search')
  if (!field) return false
  field.focus()
  field.scrollIntoView({ block: 'center' })
}

/** Moves the focus among the marks of the time axis, by time. */
function step(by) {
  const marks = [...document.querySelectorAll('.axis .mark')].sort((a, b) => a.dataset.at - b.dataset.at)
  if (marks.length === 0) return false
  const now = marks.indexOf(document.activeElement)
  marks[now < 0 ? (by > 0 ? 0 : marks.length - 1) : (now + by + marks.length) % marks.length].focus()
}
