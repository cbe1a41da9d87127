// What the page embeds: each block is gzipped JSON in base64, inflated when asked for.

async function inflate(id) {
  const element = document.getElementById(id)
  if (!element) return null
  const bytes = Uint8Array.from(atob(element.textContent), (c) => c.charCodeAt(0))
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
  return new Response(stream).json()
}

export async function loadReport() {
  const [suite, about] = await Promise.all([inflate('suite'), inflate('about')])
  for (const list of ['rows', 'runs', 'environments', 'campaigns', 'problems', 'causes']) suite[list] ??= []
  for (const row of suite.rows) { row.figures ??= []; row.runs ??= [] }
  for (const run of suite.runs) { run.reasons ??= []; run.checks ??= []; run.evidence ??= [] }
  return { suite, folders: about.folders, left: new Set(about.left ?? []) }
}

/** The time axis of a run, null where the page has none. */
export async function loadTimeline(index) {
  const run = await inflate(`run-${index}`)
  if (!run) return null
  if (typeof run.to !== 'number') throw new TypeError('it is something else')
  for (const list of ['lanes', 'rsts', 'failovers', 'cut', 'frames', 'script', 'logs', 'clusters']) run[list] ??= []
  for (const lane of run.lanes) for (const list of ['spans', 'marks', 'curves']) lane[list] ??= []
  return run
}

/** A link to a file of a run's folder; every part is encoded, so that no name is more than a name. */
export function fileLink(report, index, file) {
  const folder = report.folders?.[index] ?? report.suite.runs[index].dir
  return './' + [...folder.split('/'), file].filter(Boolean).map(encodeURIComponent).join('/')
}
