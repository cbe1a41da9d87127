package page

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"baton/reports/internal/browser"
)

// Each line of traffic has its latency over time under the axis, whose peak is named.
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
	// 212.5 ms is drawn above 0.9 ms, over the very stretch.
	higher := browser.Eval[bool](b, `(() => { const ys = [...document.querySelector('.trips-p99').getAttribute('d').matchAll(/,([\d.]+)H/g)].map(m => +m[1]); return ys[21] === Math.min(...ys) && ys[20] - ys[21] > 20 })()`)
	if !higher {
		t.Error("the peak is not where the answers came late")
	}
	b.Calm()
}

// The table has the same for who reads no curves: with the faults and who was Master.
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
