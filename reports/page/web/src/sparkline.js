// A trend in the height of a line: the values of a figure over its runs, the last one marked.
import { line } from 'd3-shape'
import { scaleLinear } from 'd3-scale'
import { s } from './dom.js'
import { number } from './format.js'

export function sparkline(values, unit = '', width = 84, height = 22) {
  const label = `trend: ${values.map(number).join(', ')} ${unit}`
  const svg = s('svg', { class: 'spark', width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label }, s('title', {}, label))
  const x = scaleLinear([0, Math.max(1, values.length - 1)], [4, width - 5])
  const low = Math.min(...values), high = Math.max(...values)
  const y = scaleLinear(low === high ? [low - 1, high + 1] : [low, high], [height - 4, 4])
  if (values.length > 1) svg.append(s('path', { d: line((_, i) => x(i), (v) => y(v))(values), class: 'trend' }))
  const last = values.length - 1
  svg.append(s('circle', { cx: x(last), cy: y(values[last]), r: 2.5, class: 'trend-end' }))
  return svg
}
