package browser

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// axe is axe-core (MPL-2.0), which checks pages for accessibility.
//
//go:embed axe.min.js.gz
var axe []byte

// Audit returns the violations of WCAG 2.2 AA that axe-core finds in the current page.
func (b *Browser) Audit() []string {
	b.T.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(axe))
	if err != nil {
		b.T.Fatal(err)
	}
	source, err := io.ReadAll(zip)
	if err != nil {
		b.T.Fatal(err)
	}
	b.Do(chromedp.Evaluate(string(source)+";0", nil))
	var found []string
	b.Do(chromedp.Evaluate(`axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}).then(
		r => r.violations.flatMap(v => v.nodes.slice(0, 3).map(n => v.id + ': ' + n.html.slice(0, 160) + ': ' + n.failureSummary)))`, &found,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	return found
}
