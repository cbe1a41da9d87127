// The words of what the pointer or the focus is on.
import { h } from './dom.js'

export function tooltip(host) {
  const tip = h('div', { class: 'tip', role: 'status' })
  tip.hidden = true
  host.append(tip)
  return {
    show(target, lines) {
      tip.replaceChildren(...lines.filter(Boolean).map((line, i) => h(i === 0 ? 'b' : 'div', {}, line)))
      tip.hidden = false
      const box = host.getBoundingClientRect(), at = target.getBoundingClientRect()
      const left = Math.max(at.left, box.left) - box.left
      tip.style.left = `${Math.max(0, Math.min(left, box.width - tip.offsetWidth - 4))}px`
      const below = at.bottom - box.top + 6
      tip.style.top = `${below + tip.offsetHeight > box.height ? at.top - box.top - tip.offsetHeight - 6 : below}px`
    },
    hide() { tip.hidden = true },
  }
}
