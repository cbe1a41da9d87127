package page

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"baton/reports/internal/browser"
)

// Each traffic line shows its latency over time under the axis, with its peak.
func TestLatencyStandsUnderTheAxis(t *testing.T) {
	b := browser.New(t)
	b.Open(written(t, report(t, 20, 3)), "#run-0")
	b.Do(chromedp.WaitReady(".trips-p99", chromedp.ByQuery))
	if n := browser.Eval[int](b, `document.querySelectorAll('.trips-p99').length`); n != 3 {
		t.Errorf("%d lines have a curve, want 3", n)
	}
	if text := browser.Eval[string](b, `document.querySelector('.trips').parentElement.textContent`); !strings.Contains(text, "p99 up to 212.5 ms at +2.100 s") {
		t.Errorf("the lane says %q", text)
	}
	// 212.5 ms is drawn above 0.9 ms, over the correct period.
	higher := browser.Eval[bool](b, `(() => { const ys = [...document.querySelector('.trips-p99').getAttribute('d').matchAll(/,([\d.]+)H/g)].map(m => +m[1]); return ys[21] === Math.min(...ys) && ys[20] - ys[21] > 20 })()`)
	if !higher {
		t.Error("the peak is not where the answers came late")
	}
	b.Calm()
}

// A table shows the same figures as text, with the faults and the MASTER.
func TestLatencyIsATableToo(t *testing.T) {
	b := browser.New(t)
	b.Open(written(t, report(t, 20, 3)), "#run-0")
	b.Do(browser.Click(".latency summary"), chromedp.WaitVisible(".latency table", chromedp.ByQuery))
	text := b.Text(".latency")
	for _, fact := range []string{"web p50", "probe p99", "crash lb1, lb2 is Master", "restore lb1, lb1 is Master", "213", "no answer"} {
		if !strings.Contains(text, fact) {
			t.Errorf("the table lacks %q:\n%s", fact, text)
		}
	}
	for _, violation := range b.Audit() {
		t.Error(violation)
	}
	b.Calm()
}

// A reader can overlay the latency of the last passing run. Both use one scale, and the figures of
// both are shown.
func TestLatencyIsComparedWithTheRunThatPassed(t *testing.T) {
	b := browser.New(t)
	d := report(t, 40, 3)
	d.Suite.Runs[20].Verdict = "PASS" // of the row of run 0
	slow := failing(0)
	for _, e := range slow {
		if e.Totals != nil {
			for i := range e.Totals.Latency {
				e.Totals.Latency[i].P99 = 900
			}
		}
	}
	d.Timelines[20] = packed(t, slow)
	b.Open(written(t, d), "#run-0")
	b.Do(chromedp.WaitReady(".trips-p99", chromedp.ByQuery))
	const label = `document.querySelector('.trips').parentElement.textContent`
	if text := browser.Eval[string](b, label); strings.Contains(text, "that passed") {
		t.Errorf("before anybody asked the lane says %q", text)
	}
	b.Do(chromedp.Evaluate(`document.querySelector('.toolbar [aria-pressed]').click()`, nil), chromedp.WaitReady(".trips ~ .past-curve", chromedp.ByQuery))
	if text := browser.Eval[string](b, label); !strings.Contains(text, "p99 up to 212.5 ms at +2.100 s") || !strings.Contains(text, "the run that passed: p99 up to 900 ms") {
		t.Errorf("the lane says %q", text)
	}
	// 900 ms is drawn above the peak of 212.5 ms.
	higher := browser.Eval[bool](b, `(() => { const top = (e) => Math.min(...[...e.getAttribute('d').matchAll(/,([\d.]+)H/g)].map(m => +m[1])); return top(document.querySelector('.trips ~ .past-curve')) < top(document.querySelector('.trips-p99')) - 5 })()`)
	if !higher {
		t.Error("the two runs are not drawn on one scale")
	}
	b.Calm()
}
