// Numbers and times in words.

const digits = (value, most) => value.toLocaleString('en', { maximumFractionDigits: most, useGrouping: true })

/** A number as short as it may be. */
export const number = (value) => digits(value, Math.abs(value) < 100 ? 1 : 0)

/** Microseconds as a place on the axis: +6.251 s, to the microsecond where it matters. */
export function moment(micros, span = 1e7) {
  const places = span < 2e4 ? 6 : span < 2e6 ? 4 : 3
  return `${micros < 0 ? '−' : '+'}${(Math.abs(micros) / 1e6).toFixed(places)} s`
}

/** Microseconds as a length. */
export function length(micros) {
  const abs = Math.abs(micros)
  if (abs < 1000) return `${digits(micros, 0)} µs`
  if (abs < 1e6) return `${digits(micros / 1000, abs < 1e4 ? 2 : 1)} ms`
  return `${digits(micros / 1e6, 2)} s`
}

/** Nanoseconds, as the model has durations. */
export const duration = (nanos) => length(nanos / 1000)

export const percent = (share) => `${digits(share * 100, share > 0 && share < 0.1 ? 1 : 0)} %`

export const bytes = (n) => (n < 1024 ? `${n} B` : n < 1 << 20 ? `${digits(n / 1024, 1)} KiB` : `${digits(n / (1 << 20), 1)} MiB`)

/** A metric with its unit, a dash where there is none. */
export const figure = (f) => (f ? `${number(f.median)}${f.unit ? ` ${f.unit}` : ''}` : '–')

export const plural = (n, one, many = `${one}s`) => `${digits(n, 0)} ${n === 1 ? one : many}`

/** The world of a row, and what was under test where that is not the reference node. */
export const where = (row) => [row.world, row.sut !== 'reference' && row.sut].filter(Boolean).join(' ')
