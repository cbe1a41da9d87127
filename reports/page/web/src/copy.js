// A command with a button that copies it.
import { h } from './dom.js'

export function command(text) {
  const code = h('code', {}, text)
  const button = h('button', { type: 'button', class: 'copy', 'aria-label': `copy: ${text}`, onclick: async () => {
    try {
      await navigator.clipboard.writeText(text)
      button.textContent = 'copied'
    } catch { // not allowed here: select it for the reader to copy
      getSelection().selectAllChildren(code)
      button.textContent = 'selected'
    }
  } }, 'copy')
  return h('span', { class: 'command' }, code, button)
}
