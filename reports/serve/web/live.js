// Follows the folder: when the server says that something has changed, the index is
// fetched again and takes the old one's place. Scripts in what is fetched are not run:
// DOMParser runs none, and the content security policy allows only this file.
'use strict'

const live = document.getElementById('live')
const search = document.getElementById('search')

function filter() {
  const wanted = search.value.trim().toLowerCase()
  for (const row of document.querySelectorAll('[data-search]')) row.hidden = !row.textContent.toLowerCase().includes(wanted)
}

async function refresh() {
  try {
    const answer = await fetch('/')
    if (!answer.ok) throw new Error(answer.statusText)
    const next = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById('index')
    const focused = document.activeElement?.getAttribute('href')
    document.getElementById('index').replaceWith(document.adoptNode(next))
    filter()
    if (focused) document.querySelector(`#index a[href="${CSS.escape(focused)}"]`)?.focus()
    live.textContent = `live, as of ${new Date().toLocaleTimeString()}`
  } catch {
    live.textContent = 'the server does not answer'
  }
}

search.hidden = false
search.addEventListener('input', filter)
addEventListener('keydown', (e) => {
  if (e.key !== '/' || e.ctrlKey || e.metaKey || e.altKey || e.target === search) return
  e.preventDefault()
  search.focus()
})

const events = new EventSource('/events')
// What changed while the connection was down was not told.
events.addEventListener('open', refresh)
events.addEventListener('change', refresh)
events.addEventListener('error', () => { live.textContent = 'the server does not answer' })
