package page

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// axe is axe-core (MPL-2.0), which holds a page against WCAG.
//
//go:embed testdata/axe.min.js.gz
var axe []byte

// audit returns what axe-core finds against WCAG 2.2 AA in what the browser shows.
func audit(b *browser) []string {
	b.t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(axe))
	if err != nil {
		b.t.Fatal(err)
	}
	source, err := io.ReadAll(zip)
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.Evaluate(string(source)+";0", nil))
	var found []string
	b.do(chromedp.Evaluate(`axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}).then(
		r => r.violations.flatMap(v => v.nodes.slice(0, 3).map(n => v.id + ': ' + n.html.slice(0, 160) + ': ' + n.failureSummary)))`, &found,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	return found
}

func TestThePageHoldsToWCAG(t *testing.T) {
	b := newBrowser(t)
	page := written(t, report(t, 40, 300))
	for _, scheme := range []string{"light", "dark"} {
		for _, view := range []string{"", "#run-0", "#run-1"} {
			b.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
			b.open(page, view)
			if strings.HasPrefix(view, "#run-0") {
				b.do(chromedp.WaitVisible(".mark.kind-rst", chromedp.ByQuery), chromedp.Click(".mark.kind-rst", chromedp.ByQuery), chromedp.WaitVisible(".panel", chromedp.ByQuery))
			}
			for _, violation := range audit(b) {
				t.Errorf("%q in %s: %s", view, scheme, violation)
			}
		}
	}
	b.calm()
}

// A check that cannot find anything would find nothing.
func TestTheAuditFindsWhatIsWrong(t *testing.T) {
	b := newBrowser(t)
	b.open([]byte(`<!DOCTYPE html><html data-ready lang="en"><title>x</title><p style="color:#aaa;background:#fff">too pale</p>`), "")
	if found := audit(b); len(found) == 0 || !strings.HasPrefix(found[0], "color-contrast") {
		t.Errorf("%q", found)
	}
}

// From the top of a run's page to its first RST are few keys: n, and Enter.
func TestTheFirstRSTIsFewKeysAway(t *testing.T) {
	b := newBrowser(t)
	b.open(written(t, report(t, 20, 300)), "#run-0")
	b.do(chromedp.WaitVisible(".mark.kind-rst", chromedp.ByQuery))
	const pressedMost = 12
	pressed := 0
	for ; pressed < pressedMost && !eval[bool](b, `document.activeElement.matches('.mark.kind-rst')`); pressed++ {
		b.do(chromedp.KeyEvent("n"))
	}
	if pressed == pressedMost {
		t.Fatalf("no RST after %d keys", pressed)
	}
	b.do(chromedp.KeyEvent("p"))
	if eval[bool](b, `document.activeElement.matches('.mark.kind-rst')`) {
		t.Error("p does not go back")
	}
	b.do(chromedp.KeyEvent("n"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(".panel", chromedp.ByQuery))
	b.do(chromedp.KeyEvent("?"), chromedp.WaitVisible("dialog.help", chromedp.ByQuery), chromedp.KeyEvent(kb.Escape), chromedp.WaitNotVisible("dialog.help", chromedp.ByQuery))
	b.calm()
}

func TestScenariosAreSearchedFilteredAndSorted(t *testing.T) {
	b := newBrowser(t)
	b.open(written(t, report(t, 40, 3)), "")
	names := func() []string {
		return eval[[]string](b, `[...document.querySelectorAll('.rows tbody th a')].map(a => a.textContent)`)
	}
	all := len(names())
	search := func(words string) chromedp.Tasks {
		return chromedp.Tasks{chromedp.Evaluate(fmt.Sprintf(`{ const s = document.getElementById('search'); s.value = %q; s.dispatchEvent(new Event('input')) }`, words), nil)}
	}
	b.do(chromedp.KeyEvent("/"))
	if id := eval[string](b, "document.activeElement.id"); id != "search" {
		t.Errorf("/ leads to %q", id)
	}
	b.do(search("scenario-07"))
	if got := names(); len(got) != 1 || got[0] != "scenario-07" {
		t.Errorf("search: %q", got)
	}
	b.do(search(""))
	b.do(chromedp.Click(`.count[aria-label*=" FAIL"]`, chromedp.ByQuery))
	if got := names(); len(got) == 0 || len(got) >= all {
		t.Errorf("of %d rows, %d failed", all, len(got))
	}
	b.do(chromedp.Click(`.count[aria-label*=" FAIL"]`, chromedp.ByQuery))
	if got := names(); len(got) != all {
		t.Errorf("%d rows of %d are back", len(got), all)
	}
	for _, want := range []string{"ascending", "descending"} {
		b.do(chromedp.Click(`.rows thead th:nth-child(2) button`, chromedp.ByQuery))
		sorted := eval[string](b, `document.querySelector('.rows thead th:nth-child(2)').getAttribute('aria-sort')`)
		first, last := "scenario-00", fmt.Sprintf("scenario-%02d", all-1)
		if want == "descending" {
			first, last = last, first
		}
		if got := names(); sorted != want || got[0] != first || got[all-1] != last {
			t.Errorf("%s: %s, %q", want, sorted, got)
		}
	}
	b.calm()
}

// A line of the scenario shows its verdict, and leads to its moment on the axis.
func TestALineOfTheScenarioLeadsToTheAxis(t *testing.T) {
	b := newBrowser(t)
	b.open(written(t, report(t, 20, 3)), "#run-0")
	b.do(chromedp.WaitVisible(".script", chromedp.ByQuery))
	if bad := b.text(".script tr.bad"); !strings.Contains(bad, "always rst == 0") || !strings.Contains(bad, "FAIL") || !strings.Contains(bad, "+6.095 s") {
		t.Errorf("the line that failed says %q", bad)
	}
	before := eval[string](b, `document.querySelector('.scale').textContent`)
	b.do(chromedp.Click(".script tr.bad button", chromedp.ByQuery))
	if after := eval[string](b, `document.querySelector('.scale').textContent`); after == before || !strings.Contains(after, "+6.1") {
		t.Errorf("the axis shows %q, before %q", after, before)
	}
	b.calm()
}

// Without JavaScript the verdicts and the causes remain, and nothing in them is markup.
func TestWithoutJavaScriptAReadablePageRemains(t *testing.T) {
	b := newBrowser(t)
	page := written(t, report(t, 20, 3))
	b.do(emulation.SetScriptExecutionDisabled(true))
	defer b.do(emulation.SetScriptExecutionDisabled(false))
	file := filepath.Join(t.TempDir(), "index.html")
	if err := os.WriteFile(file, page, 0o644); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Navigate("file://"+file), chromedp.WaitVisible("noscript table", chromedp.ByQuery))
	text := b.text("main")
	for _, fact := range []string{"scenario-03", "What broke", "RSTs after restore lb1", "bin/baton run", "<img src=x"} {
		if !strings.Contains(text, fact) {
			t.Errorf("the page lacks %q:\n%s", fact, text)
		}
	}
	b.calm()
}
