// Bundles src and the d3 modules that it uses into dist/page.js, and puts their
// licences beside it. bundle_test.go fails when src has changed since.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const hash = createHash('sha256')
for (const file of readdirSync('src').sort()) hash.update(readFileSync(`src/${file}`))

const result = await build({
  entryPoints: ['src/main.js'], outfile: 'dist/page.js', bundle: true, minify: true, format: 'iife',
  target: 'es2022', charset: 'utf8', legalComments: 'none', metafile: true,
  banner: { js: `/* sources ${hash.digest('hex')}; d3 (ISC) and others: see LICENSES */` },
})
const packages = new Set(Object.keys(result.metafile.inputs).map((file) => /^node_modules\/([^/]+)/.exec(file)?.[1]).filter(Boolean))
const licences = [...packages].sort().map((name) => {
  const { version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`))
  return `${name} ${version}\n\n${readFileSync(`node_modules/${name}/LICENSE`)}`
})
writeFileSync('dist/LICENSES', licences.join('\n----\n\n'))

// What the tests hold the page against; it is no part of the page.
writeFileSync('../../internal/browser/axe.min.js.gz', gzipSync(readFileSync('node_modules/axe-core/axe.min.js'), { level: 9 }))
