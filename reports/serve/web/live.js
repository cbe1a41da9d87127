// Follows the folder: when the server says that something has changed, the index is
// fetched again and takes the old one's place. Scripts in what is fetched are not run:
// DOMParser runs none, and the content security policy allows only this file.
'use strict'

const live = document.getElementById('live')
const search = document.getElementById('search')
const left = document.getElementById('left')
let verdict // whose scenarios alone are shown, undefined for all

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean)
  const rows = [...document.querySelectorAll('[data-search]')]
  for (const row of rows) {
    const text = row.textContent.toLowerCase()
    row.hidden = (verdict !== undefined && row.dataset.search !== verdict) || !words.every((w) => text.includes(w))
  }
  const shown = rows.filter((row) => !row.hidden).length
  left.textContent = shown < rows.length ? `${shown} of ${rows.length} scenarios` : ''
}

// The counts become buttons that show the scenarios of one verdict.
function arm() {
  for (const count of document.querySelectorAll('span[data-verdict]')) {
    const button = document.createElement('button')
    button.type = 'button'
    button.className = count.className
    button.dataset.verdict = count.dataset.verdict
    button.setAttribute('aria-pressed', String(count.dataset.verdict === verdict))
    button.append(...count.childNodes)
    button.addEventListener('click', () => {
      verdict = button.dataset.verdict === verdict ? undefined : button.dataset.verdict
      for (const other of document.querySelectorAll('button[data-verdict]')) other.setAttribute('aria-pressed', String(other.dataset.verdict === verdict))
      filter()
    })
    count.replaceWith(button)
  }
}

// What had the focus has it again: a link by its address, a button by its verdict.
function refocus(focused) {
  const href = focused?.getAttribute?.('href'), of = focused?.dataset?.verdict
  if (focused?.isConnected) return
  if (href) document.querySelector(`#index a[href="${CSS.escape(href)}"]`)?.focus()
  if (of) document.querySelector(`button[data-verdict="${CSS.escape(of)}"]`)?.focus()
}

async function refresh() {
  try {
    const answer = await fetch('/')
    if (!answer.ok) throw new Error(answer.statusText)
    const next = new DOMParser().parseFromString(await answer.text(), 'text/html')
    const focused = document.activeElement
    for (const part of document.querySelectorAll('[data-live]')) part.replaceWith(document.adoptNode(next.getElementById(part.id)))
    document.title = next.title
    arm()
    if (verdict !== undefined && !document.querySelector(`button[data-verdict="${CSS.escape(verdict)}"]`)) verdict = undefined
    filter()
    refocus(focused)
    live.textContent = `live, as of ${new Date().toLocaleTimeString()}`
  } catch {
    live.textContent = 'the server does not answer'
  }
}

/** Moves the focus among the scenarios that are shown. */
function step(by) {
  const links = [...document.querySelectorAll('[data-search]:not([hidden]) th a')]
  const now = links.indexOf(document.activeElement)
  links[now < 0 ? (by > 0 ? 0 : links.length - 1) : (now + by + links.length) % links.length]?.focus()
}

document.querySelector('.tools').hidden = false
arm()
search.addEventListener('input', filter)
search.addEventListener('keydown', (e) => { if (e.key === 'Escape') { search.value = ''; filter(); search.blur() } })
addEventListener('keydown', (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target === search) return
  const act = { '/': () => search.focus(), n: () => step(1), p: () => step(-1) }[e.key]
  if (!act) return
  e.preventDefault()
  act()
})

const events = new EventSource('/events')
// What changed while the connection was down was not told.
events.addEventListener('open', refresh)
events.addEventListener('change', refresh)
events.addEventListener('error', () => { live.textContent = 'the server does not answer' })
document.documentElement.dataset.ready = 'true'
