package page

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"baton/reports/internal/browser"
)

// A reader who opens a failed run sees without scrolling what failed, the command that repeats the
// run, and under the faults the position of the damage on the axis.
func TestTheFailureIsVisibleWithoutScrolling(t *testing.T) {
	b := browser.New(t)
	b.Do(emulation.SetDeviceMetricsOverride(1280, 900, 1, false))
	b.Open(written(t, report(t, 20, 300)), "#run-0")
	b.Do(chromedp.WaitVisible(".mark.kind-rst", chromedp.ByQuery))
	last := 0.0
	for _, part := range []string{".answer", ".broken .command", ".kind-faults", ".mark.kind-rst"} {
		at := browser.Eval[float64](b, "document.querySelector('"+part+"').getBoundingClientRect().bottom")
		if at <= last || at > 900 {
			t.Errorf("%s ends at %v px, what comes before it at %v", part, at, last)
		}
		last = at
	}
	// The button jumps to the largest damage, not to the first.
	if label := browser.Eval[string](b, `[...document.querySelectorAll('.toolbar button')].map(b => b.textContent).join()`); !strings.Contains(label, "300 RSTs +6.095 s,1 RST") {
		t.Errorf("the buttons are %q", label)
	}
	b.Calm()
}
