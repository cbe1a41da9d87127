// Light or dark: as the system has it, until the button says otherwise.
import { h } from './dom.js'

const root = document.documentElement
const dark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches)

export function themeButton() {
  const button = h('button', { type: 'button', class: 'theme', onclick: () => { root.dataset.theme = dark() ? 'light' : 'dark'; say() } })
  const say = () => { button.textContent = dark() ? '☀ light' : '☾ dark' }
  say()
  return button
}
