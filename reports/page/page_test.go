package page

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"baton/reports/internal/browser"
)

// interactiveLimit is the time within which a page of 200 runs must respond.
const interactiveLimit = time.Second

func TestRSTOpensItsAttribution(t *testing.T) {
	page := written(t, report(t, 20, 300))
	want := []string{"backend1", "lb1, then Master", "adopted", "restore lb1", "1000", "198.18.1.11:80>198.18.1.100:20000"}
	const mark = ".mark.kind-rst"
	b := browser.New(t)
	for _, by := range []struct {
		name string
		act  []chromedp.Action
	}{
		{"click", []chromedp.Action{browser.Click(mark)}},
		{"keyboard", []chromedp.Action{browser.Focus(mark), chromedp.KeyEvent(kb.Enter)}},
	} {
		b.Open(page, "#run-0")
		b.Do(chromedp.WaitVisible(mark, chromedp.ByQuery))
		b.Do(by.act...)
		b.Do(chromedp.WaitVisible(".panel", chromedp.ByQuery))
		panel := b.Text(".panel")
		for _, fact := range want {
			if !strings.Contains(panel, fact) {
				t.Errorf("by %s: the attribution lacks %q:\n%s", by.name, fact, panel)
			}
		}
		b.Do(chromedp.KeyEvent(kb.Escape), chromedp.WaitNotPresent(".panel", chromedp.ByQuery))
		if !browser.Eval[bool](b, `document.activeElement.matches('.mark.kind-rst')`) {
			t.Errorf("by %s: the focus does not return to the mark", by.name)
		}
	}
	b.Calm()
}

func TestSuiteShowsWhatIsBesideRuns(t *testing.T) {
	b := browser.New(t)
	b.Open(written(t, report(t, 20, 3)), "")
	text := b.Text("main")
	for _, fact := range []string{"seeds 1 to 2000", "no result of shard 1", "seed 4711, forwarders", "baton shrink --seed 4711", "1 killed, 1 survived",
		"2 not executed", "netns: 2 of 3 combinations of fault, role and TCP phase, 1 hole", "never seen sometimes forwarders == 0 in 0 of 4 runs: 1 at the end", "reports/baseline", "a fifth slower", "+20 %", "worse: 120 → 144", "not caught", "6.18.0"} {
		if !strings.Contains(text, fact) {
			t.Errorf("the page lacks %q", fact)
		}
	}
	if first := browser.Eval[string](b, `document.querySelector('.rows tbody .badge').textContent`); !strings.Contains(first, "FAIL") {
		t.Errorf("the first row is %q, though some failed", first)
	}
	b.Calm()
}

// If a page is too large, the axis of a passing run is left out, and the page says so.
func TestPageKeepsItsLimit(t *testing.T) {
	d := report(t, 20, 3)
	for i := range d.Timelines {
		d.Timelines[i] = make(Packed, Limit/10)
	}
	page := written(t, d)
	if len(page) > Limit {
		t.Errorf("%d bytes, limit %d", len(page), Limit)
	}
	for i, run := range d.Suite.Runs {
		if run.Verdict == "FAIL" && !bytes.Contains(page, fmt.Appendf(nil, `id="run-%d"`, i)) {
			t.Errorf("run %d failed and lost its axis", i)
		}
	}
	b := browser.New(t)
	b.Open(page, "#run-1")
	if text := b.Text("main"); !strings.Contains(text, "left out to keep the page under 5 MiB") {
		t.Errorf("nothing says that the axis of run 1 was left out:\n%s", text)
	}
	b.Calm()
}

// A damaged time axis is reported and does not hide the rest of its run.
func TestADamagedAxisHidesNothingElse(t *testing.T) {
	d := report(t, 20, 3)
	wrong, err := pack([]string{"no axis"})
	if err != nil {
		t.Fatal(err)
	}
	for i, damaged := range []Packed{[]byte("not compressed"), d.Timelines[1][:len(d.Timelines[1])/2], wrong} {
		d.Timelines[i] = damaged
	}
	page := written(t, d)
	b := browser.New(t)
	for i := range 3 {
		b.Open(page, fmt.Sprintf("#run-%d", i))
		b.Do(chromedp.WaitVisible(".checks", chromedp.ByQuery))
		if text := b.Text("main"); !strings.Contains(text, "it is damaged") || !strings.Contains(text, "bin/baton run") {
			t.Errorf("run %d:\n%s", i, text)
		}
	}
	b.Calm()
}

func TestKeyboardZoomsAndPans(t *testing.T) {
	b := browser.New(t)
	b.Open(written(t, report(t, 20, 300)), "#run-0")
	ticks := func() string { return browser.Eval[string](b, `document.querySelector('.scale').textContent`) }
	b.Do(chromedp.WaitVisible(".mark.kind-rst", chromedp.ByQuery), browser.Focus("svg.axis"))
	whole := ticks()
	for _, key := range []string{"+", kb.ArrowRight, "-", "+", "0"} {
		before := ticks()
		b.Do(chromedp.KeyEvent(key))
		if ticks() == before {
			t.Errorf("%q does nothing", key)
		}
	}
	if ticks() != whole {
		t.Error("0 does not show the whole run again")
	}
	b.Calm()
}

func TestHostileTextsAreInert(t *testing.T) {
	page := written(t, report(t, 20, 3))
	if n := strings.Count(string(page), "<img"); n != 0 {
		t.Errorf("a text of the trace stands in the page as markup, %d times", n)
	}
	b := browser.New(t)
	for _, hash := range []string{"", "#run-0"} {
		b.Open(page, hash)
		if title := browser.Eval[string](b, "document.title"); strings.Contains(title, "broken") {
			t.Error("a script of the trace ran")
		}
		if n := browser.Eval[int](b, "document.images.length"); n != 0 {
			t.Errorf("%d images", n)
		}
		if !strings.Contains(b.Text("main"), "<img src=x") {
			t.Error("the text is not shown")
		}
	}
	if href := browser.Eval[string](b, `document.querySelector('.evidence a').getAttribute('href')`); href != "./run-0/capture.pcapng" {
		t.Errorf("evidence at %q", href)
	}
	b.Calm()
}

// The screenshots in PAGE_SHOTS are for a person to look at.
func TestPageFitsItsWindow(t *testing.T) {
	b := browser.New(t)
	page := written(t, report(t, 40, 300))
	for _, width := range []int64{1280, 390} {
		for _, scheme := range []string{"light", "dark"} {
			for _, view := range []string{"", "#run-0"} {
				b.Do(emulation.SetDeviceMetricsOverride(width, 900, 1, width < 500),
					emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
				b.Open(page, view)
				// Not innerWidth: a phone's innerWidth grows with content that does not fit.
				if over := browser.Eval[int64](b, "document.documentElement.scrollWidth") - width; over > 0 {
					t.Errorf("%q at %d px scrolls sideways by %d px", view, width, over)
				}
				if dark := browser.Eval[bool](b, `parseInt(getComputedStyle(document.body).backgroundColor.slice(4)) < 100`); dark != (scheme == "dark") {
					t.Errorf("%q is dark: %v in a %s scheme", view, dark, scheme)
				}
				// A reader sees what failed without scrolling.
				if bottom := browser.Eval[float64](b, `document.querySelector('.answer').getBoundingClientRect().bottom`); bottom <= 0 || bottom > 900 {
					t.Errorf("%q at %d px: the answer ends at %v px", view, width, bottom)
				}
				b.Shoot(fmt.Sprintf("%s%d-%s", strings.TrimPrefix(view, "#"), width, scheme))
			}
		}
	}
	b.Calm()
}

// The printed page shows what failed and the time axis on one sheet of A4 within its margins.
func TestAnswerAndAxisArePrintedOnOnePage(t *testing.T) {
	const width, height = 702, 964 // px, of 186 mm (A4) and of 255 mm (Letter, which is shorter)
	b := browser.New(t)
	b.Do(emulation.SetDeviceMetricsOverride(width, height, 1, false), emulation.SetEmulatedMedia().WithMedia("print"))
	b.Open(written(t, report(t, 20, 300)), "#run-0")
	b.Do(chromedp.WaitVisible(".mark.kind-rst", chromedp.ByQuery))
	if bottom := browser.Eval[float64](b, `document.querySelector('.axis-host').getBoundingClientRect().bottom`); bottom > height {
		t.Errorf("the axis ends at %v px of %d", bottom, height)
	}
	lanes := func() string { return browser.Eval[string](b, `document.querySelector("svg.axis").textContent`) }
	if text := lanes(); strings.Contains(text, "BFD") || !strings.Contains(text, "latency") || !strings.Contains(text, "Master") {
		t.Errorf("the lanes on paper are %q", text)
	}
	if tall := browser.Eval[float64](b, `document.querySelector('.lane-name').getBoundingClientRect().height`); tall < 8 {
		t.Errorf("the name of a lane is %v px high, too small to read", tall)
	}
	b.Do(emulation.SetEmulatedMedia().WithMedia(""), chromedp.Poll(`document.querySelector('svg.axis').textContent.includes('BFD')`, nil))
	b.Calm()
}

// A reader can overlay the last passing run on a failed one, and remove it again.
func TestARunThatPassedIsLaidUnderOneThatFailed(t *testing.T) {
	b := browser.New(t)
	d := report(t, 40, 300)
	d.Suite.Runs[20].Verdict = "PASS" // of the row of run 0
	b.Open(written(t, d), "#run-0")
	b.Do(chromedp.WaitVisible(".mark.kind-rst", chromedp.ByQuery))
	if n := browser.Eval[int](b, `document.querySelectorAll('.past').length`); n != 0 {
		t.Errorf("%d bars before anybody asked", n)
	}
	const press = `document.querySelector('.toolbar [aria-pressed]').click()`
	b.Do(chromedp.Evaluate(press, nil), chromedp.WaitReady(".lane .past", chromedp.ByQuery))
	for _, violation := range b.Audit() {
		t.Error(violation)
	}
	b.Do(chromedp.Evaluate(press, nil), chromedp.WaitNotPresent(".lane .past", chromedp.ByQuery))
	b.Calm()
}

// The wall time of loading a page depends on other processes, so the limit applies to the processor
// time that the page uses. The test prints both.
func TestPageOfTwoHundredRunsIsFastAndSmall(t *testing.T) {
	page := written(t, report(t, 200, 1000))
	t.Logf("index.html of 200 runs: %.2f MiB (limit %d MiB)", float64(len(page))/(1<<20), Limit>>20)
	if len(page) > Limit {
		t.Errorf("%d bytes, limit %d", len(page), Limit)
	}
	b := browser.New(t)
	b.Open([]byte("<!DOCTYPE html><html data-ready>"), "") // so that the start of the browser does not count
	b.Do(performance.Enable().WithTimeDomain(performance.EnableTimeDomainThreadTicks))
	before := b.Busy()
	b.Open(page, "")
	busy := b.Busy() - before
	wall := time.Duration(browser.Eval[float64](b, `performance.getEntriesByName('interactive')[0].startTime`) * float64(time.Millisecond))
	t.Logf("interactive after %v, of which the page's thread was busy %v (limit %v)", wall.Round(time.Millisecond), busy.Round(time.Millisecond), interactiveLimit)
	if busy <= 0 || busy > interactiveLimit {
		t.Errorf("the page was busy for %v", busy)
	}
	b.Do(browser.Click(".rows .row"), chromedp.WaitVisible("svg.axis .mark", chromedp.ByQuery))
	b.Calm()
}
