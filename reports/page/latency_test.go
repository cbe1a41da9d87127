package page

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// Each line of traffic has its latency over time under the axis, whose peak is named.
func TestLatencyStandsUnderTheAxis(t *testing.T) {
	b := newBrowser(t)
	b.open(written(t, report(t, 20, 3)), "#run-0")
	b.do(chromedp.WaitReady(".trips-p99", chromedp.ByQuery))
	if n := eval[int](b, `document.querySelectorAll('.trips-p99').length`); n != 3 {
		t.Errorf("%d lines have a curve, want 3", n)
	}
	if text := eval[string](b, `document.querySelector('.trips').parentElement.textContent`); !strings.Contains(text, "p99 up to 212.5 ms at +2.100 s") {
		t.Errorf("the lane says %q", text)
	}
	// 212.5 ms is drawn above 0.9 ms, over the very stretch.
	higher := eval[bool](b, `(() => { const ys = [...document.querySelector('.trips-p99').getAttribute('d').matchAll(/,([\d.]+)H/g)].map(m => +m[1]); return ys[21] === Math.min(...ys) && ys[20] - ys[21] > 20 })()`)
	if !higher {
		t.Error("the peak is not where the answers came late")
	}
	b.calm()
}

// The table has the same for who reads no curves: with the faults and who was Master.
func TestLatencyIsATableToo(t *testing.T) {
	b := newBrowser(t)
	b.open(written(t, report(t, 20, 3)), "#run-0")
	b.do(chromedp.Click(".latency summary", chromedp.ByQuery), chromedp.WaitVisible(".latency table", chromedp.ByQuery))
	text := b.text(".latency")
	for _, fact := range []string{"web p50", "probe p99", "crash lb1, lb2 is Master", "restore lb1, lb1 is Master", "213", "no answer"} {
		if !strings.Contains(text, fact) {
			t.Errorf("the table lacks %q:\n%s", fact, text)
		}
	}
	for _, violation := range audit(b) {
		t.Error(violation)
	}
	b.calm()
}
