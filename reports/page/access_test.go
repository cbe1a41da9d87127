package page

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"baton/reports/internal/browser"
)

func TestThePageHoldsToWCAG(t *testing.T) {
	b := browser.New(t)
	page := written(t, report(t, 40, 300))
	for _, scheme := range []string{"light", "dark"} {
		for _, view := range []string{"", "#run-0", "#run-1"} {
			b.Do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
			b.Open(page, view)
			if strings.HasPrefix(view, "#run-0") {
				b.Do(chromedp.WaitVisible(".mark.kind-rst", chromedp.ByQuery), browser.Click(".mark.kind-rst"), chromedp.WaitVisible(".panel", chromedp.ByQuery))
			}
			for _, violation := range b.Audit() {
				t.Errorf("%q in %s: %s", view, scheme, violation)
			}
		}
	}
	b.Calm()
}

// The control: the accessibility check must find a planted defect.
func TestTheAuditFindsWhatIsWrong(t *testing.T) {
	b := browser.New(t)
	b.Open([]byte(`<!DOCTYPE html><html data-ready lang="en"><title>x</title><p style="color:#aaa;background:#fff">too pale</p>`), "")
	if found := b.Audit(); len(found) == 0 || !strings.HasPrefix(found[0], "color-contrast") {
		t.Errorf("%q", found)
	}
}

// A reader gets from the top of a run's page to its first RST with few keys: n, and Enter.
func TestTheFirstRSTIsFewKeysAway(t *testing.T) {
	b := browser.New(t)
	b.Open(written(t, report(t, 20, 300)), "#run-0")
	b.Do(chromedp.WaitVisible(".mark.kind-rst", chromedp.ByQuery))
	const pressedMost = 12
	pressed := 0
	for ; pressed < pressedMost && !browser.Eval[bool](b, `document.activeElement.matches('.mark.kind-rst')`); pressed++ {
		b.Do(chromedp.KeyEvent("n"))
	}
	if pressed == pressedMost {
		t.Fatalf("no RST after %d keys", pressed)
	}
	b.Do(chromedp.KeyEvent("p"))
	if browser.Eval[bool](b, `document.activeElement.matches('.mark.kind-rst')`) {
		t.Error("p does not go back")
	}
	b.Do(chromedp.KeyEvent("n"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(".panel", chromedp.ByQuery))
	b.Do(chromedp.KeyEvent("?"), chromedp.WaitVisible("dialog.help", chromedp.ByQuery), chromedp.KeyEvent(kb.Escape), chromedp.WaitNotVisible("dialog.help", chromedp.ByQuery))
	b.Calm()
}

func TestScenariosAreSearchedFilteredAndSorted(t *testing.T) {
	b := browser.New(t)
	b.Open(written(t, report(t, 40, 3)), "")
	names := func() []string {
		return browser.Eval[[]string](b, `[...document.querySelectorAll('.rows tbody th a')].map(a => a.textContent)`)
	}
	all := len(names())
	search := func(words string) chromedp.Tasks {
		return chromedp.Tasks{chromedp.Evaluate(fmt.Sprintf(`{ const s = document.getElementById('search'); s.value = %q; s.dispatchEvent(new Event('input')) }`, words), nil)}
	}
	b.Do(chromedp.KeyEvent("/"))
	if id := browser.Eval[string](b, "document.activeElement.id"); id != "search" {
		t.Errorf("/ leads to %q", id)
	}
	b.Do(search("scenario-07"))
	if got := names(); len(got) != 1 || got[0] != "scenario-07" {
		t.Errorf("search: %q", got)
	}
	b.Do(search(""))
	b.Do(browser.Click(`.count[aria-label*=" FAIL"]`))
	if got := names(); len(got) == 0 || len(got) >= all {
		t.Errorf("of %d rows, %d failed", all, len(got))
	}
	b.Do(browser.Click(`.count[aria-label*=" FAIL"]`))
	if got := names(); len(got) != all {
		t.Errorf("%d rows of %d are back", len(got), all)
	}
	for _, want := range []string{"ascending", "descending"} {
		b.Do(browser.Click(`.rows thead th:nth-child(2) button`))
		sorted := browser.Eval[string](b, `document.querySelector('.rows thead th:nth-child(2)').getAttribute('aria-sort')`)
		first, last := "scenario-00", fmt.Sprintf("scenario-%02d", all-1)
		if want == "descending" {
			first, last = last, first
		}
		if got := names(); sorted != want || got[0] != first || got[all-1] != last {
			t.Errorf("%s: %s, %q", want, sorted, got)
		}
	}
	b.Calm()
}

// A line of the scenario shows its verdict and links to its moment on the axis.
func TestALineOfTheScenarioLeadsToTheAxis(t *testing.T) {
	b := browser.New(t)
	b.Open(written(t, report(t, 20, 3)), "#run-0")
	b.Do(chromedp.WaitVisible(".script", chromedp.ByQuery))
	if bad := b.Text(".script tr.bad"); !strings.Contains(bad, "always rst == 0") || !strings.Contains(bad, "FAIL") || !strings.Contains(bad, "+6.095 s") {
		t.Errorf("the line that failed says %q", bad)
	}
	before := browser.Eval[string](b, `document.querySelector('.scale').textContent`)
	b.Do(browser.Click(".script tr.bad button"))
	if after := browser.Eval[string](b, `document.querySelector('.scale').textContent`); after == before || !strings.Contains(after, "+6.1") {
		t.Errorf("the axis shows %q, before %q", after, before)
	}
	b.Calm()
}

// Without JavaScript the page still shows verdicts and causes, and none of their text is markup.
func TestWithoutJavaScriptAReadablePageRemains(t *testing.T) {
	b := browser.New(t)
	page := written(t, report(t, 20, 3))
	b.Do(emulation.SetScriptExecutionDisabled(true))
	defer b.Do(emulation.SetScriptExecutionDisabled(false))
	file := filepath.Join(t.TempDir(), "index.html")
	if err := os.WriteFile(file, page, 0o644); err != nil {
		t.Fatal(err)
	}
	b.Do(chromedp.Navigate("file://"+file), chromedp.WaitVisible("noscript table", chromedp.ByQuery))
	for { // opens the folded parts, as a reader would
		var folded []*cdp.Node
		if b.Do(chromedp.Nodes("details:not([open]) > summary", &folded, chromedp.ByQueryAll, chromedp.AtLeast(0))); len(folded) == 0 {
			break
		}
		b.Do(chromedp.MouseClickNode(folded[0]))
	}
	text := b.Text("main")
	for _, fact := range []string{"scenario-03", "What broke", "RSTs after restore lb1", "bin/baton run", "<img src=x",
		"300 RSTs, 300 sessions lost", "No packet within 50 ms", "-0.100 ms", "RST seq 2", "lb1 lacks 498 flows", "no entry", "table-lb2.txt", "web p99", "crash lb1, lb2 is Master", "212.5"} {
		if !strings.Contains(text, fact) {
			t.Errorf("the page lacks %q:\n%s", fact, text)
		}
	}
	b.Calm()
}
