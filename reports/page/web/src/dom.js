// Elements without markup: texts of traces become text nodes, never HTML.

const svgNames = 'http://www.w3.org/2000/svg'

// Control characters, terminal escapes and overrides of the writing direction are
// shown as a sign: they must neither act nor hide.
const unseen = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

const inert = (child) => (child instanceof Node ? child : String(child).replace(unseen, '\ufffd'))

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value)
    else element.setAttribute(name, value === true ? '' : value)
  }
  for (const child of children.flat(Infinity)) {
    if (child !== undefined && child !== null && child !== false) element.append(inert(child))
  }
  return element
}

/** An HTML element; attributes whose names begin with "on" are listeners. */
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children)

/** An SVG element. */
export const s = (tag, attributes, ...children) => fill(document.createElementNS(svgNames, tag), attributes, children)
