package serve

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"baton/reports/internal/browser"
)

func TestMain(m *testing.M) { browser.Main(m) }

// hostileFolder is a name with special characters of URLs and of HTML.
const hostileFolder = `a?b#c%2e<img src=x onerror=document.title='broken'>"'`

// visit serves a folder, watches it, and opens its index in a browser.
func visit(t *testing.T, dir string) (*browser.Browser, string) {
	t.Helper()
	b := browser.New(t)
	s := open(t, dir, 5)
	ctx, stop := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() { defer close(watched); s.Watch(ctx) }()
	server := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		b.Do(chromedp.Navigate("about:blank")) // ends the event stream
		server.Close()
		stop()
		<-watched
	})
	b.Serve(server.URL)
	b.Do(chromedp.Navigate(server.URL+"/"), chromedp.WaitReady("html[data-ready]", chromedp.ByQuery))
	return b, server.URL
}

// mixed stores a flaky scenario, a passing one and a running one.
func mixed(t *testing.T, dir string) {
	t.Helper()
	leave(t, filepath.Join(dir, "1"), "flaky", "PASS", 1)
	leave(t, filepath.Join(dir, "2"), "flaky", "FAIL", 2)
	leave(t, filepath.Join(dir, "3"), "steady", "PASS", 3)
	leave(t, filepath.Join(dir, "4"), "doubtful", "INCONCLUSIVE", 4)
	write(t, filepath.Join(dir, "5"), "scenario.scn", "scenario under-way\n")
}

// find types text into the search field.
func find(words string) chromedp.Action {
	return chromedp.Evaluate(fmt.Sprintf(`{ const s = document.getElementById('search'); s.value = %q; s.dispatchEvent(new Event('input')) }`, words), nil)
}

// shown returns the visible scenarios.
func shown(b *browser.Browser) string {
	return strings.Join(browser.Eval[[]string](b, `[...document.querySelectorAll('.rows tbody tr')].filter(r => r.checkVisibility()).map(r => r.querySelector('th a').textContent)`), " ")
}

// While a suite runs, the open index shows each run as it begins and ends, and keeps the filter and
// the focus.
func TestTheIndexIsLiveWhileRunsAreAdded(t *testing.T) {
	dir := t.TempDir()
	leave(t, filepath.Join(dir, "1"), "flaky", "PASS", 1)
	leave(t, filepath.Join(dir, "2"), "steady", "PASS", 1)
	b, _ := visit(t, dir)
	if title := browser.Eval[string](b, "document.title"); strings.Contains(title, "failed") {
		t.Errorf("title %q", title)
	}
	b.Do(find("flaky"), chromedp.Evaluate(`document.querySelector('a.dot').focus()`, nil))
	write(t, filepath.Join(dir, "3"), "scenario.scn", "scenario flaky\n")
	b.Do(chromedp.Poll(`document.body.innerText.includes('Running now')`, nil))
	leave(t, filepath.Join(dir, "3"), "flaky", "FAIL", 2)
	b.Do(chromedp.Poll(`document.title.startsWith('1 failed')`, nil), chromedp.WaitVisible(".rows .badge.bad", chromedp.ByQuery))
	if got := shown(b); got != "flaky" {
		t.Errorf("the filter shows %q after the change", got)
	}
	if !browser.Eval[bool](b, `document.activeElement.matches('a.dot')`) {
		t.Errorf("the focus went to %q", browser.Eval[string](b, `document.activeElement.outerHTML.slice(0, 200)`))
	}
	row := b.Text(".rows tbody tr")
	for _, fact := range []string{"FAIL", "✓", "✕", "50 %", "2026-11-28 10:02:00 UTC"} {
		if !strings.Contains(row, fact) {
			t.Errorf("the row lacks %q:\n%s", fact, row)
		}
	}
	if status := b.Text("#live"); !strings.HasPrefix(status, "live, as of") {
		t.Errorf("the page says %q", status)
	}
	b.Calm()
}

func TestTheIndexIsFilteredByWordsAndVerdict(t *testing.T) {
	dir := t.TempDir()
	mixed(t, dir)
	b, _ := visit(t, dir)
	if got := shown(b); got != "flaky doubtful steady" {
		t.Errorf("what needs attention is not first: %q", got)
	}
	b.Do(browser.Click(`button[data-verdict="PASS"]`))
	if got := shown(b); got != "steady" {
		t.Errorf("PASS shows %q", got)
	}
	if left := b.Text("#left"); left != "1 of 3 scenarios" {
		t.Errorf("the page says %q", left)
	}
	b.Do(browser.Click(`button[data-verdict="PASS"]`), chromedp.KeyEvent("/"), find("sim doubt"))
	if got := shown(b); got != "doubtful" {
		t.Errorf("two words show %q", got)
	}
	if !browser.Eval[bool](b, `document.activeElement.id === 'search'`) {
		t.Error("/ does not lead to the search")
	}
	b.Do(chromedp.KeyEvent(kb.Escape))
	if got := shown(b); got != "flaky doubtful steady" {
		t.Errorf("Escape leaves %q", got)
	}
	b.Calm()
}

// With the keyboard only: n and p move between scenarios, Enter opens a run.
func TestTheIndexIsUsedByKeys(t *testing.T) {
	dir := t.TempDir()
	mixed(t, dir)
	b, _ := visit(t, dir)
	focused := func() string { return browser.Eval[string](b, `document.activeElement.textContent`) }
	for _, step := range []struct{ key, want string }{{"n", "flaky"}, {"n", "doubtful"}, {"p", "flaky"}, {"p", "steady"}, {"n", "flaky"}} {
		if b.Do(chromedp.KeyEvent(step.key)); focused() != step.want {
			t.Errorf("%s leads to %q, want %q", step.key, focused(), step.want)
		}
	}
	if outline := browser.Eval[string](b, `getComputedStyle(document.activeElement).outlineStyle`); outline != "solid" {
		t.Errorf("the focus has an outline that is %s", outline)
	}
	b.Do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("#page article h1", chromedp.ByQuery))
	if heading := b.Text("#page article h1"); !strings.Contains(heading, "FAIL") || !strings.Contains(heading, "flaky") {
		t.Errorf("Enter opens %q", heading)
	}
	b.Calm()
}

// The screenshots in PAGE_SHOTS are for a person to look at.
func TestTheIndexFitsAndHoldsToWCAG(t *testing.T) {
	dir := t.TempDir()
	mixed(t, dir)
	leave(t, filepath.Join(dir, hostileFolder), "a-scenario-whose-name-is-longer-than-a-phone-is-wide-by-far", "FAIL", 6)
	b, address := visit(t, dir)
	for _, width := range []int64{1280, 390} {
		for _, scheme := range []string{"light", "dark"} {
			b.Do(emulation.SetDeviceMetricsOverride(width, 900, 1, width < 500),
				emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
				chromedp.Navigate(address+"/"), chromedp.WaitReady("html[data-ready]", chromedp.ByQuery))
			if over := browser.Eval[int64](b, "document.documentElement.scrollWidth") - width; over > 0 {
				t.Errorf("at %d px it scrolls sideways by %d px", width, over)
			}
			for _, violation := range b.Audit() {
				t.Errorf("at %d px in %s: %s", width, scheme, violation)
			}
			b.Shoot(fmt.Sprintf("index%d-%s", width, scheme))
		}
	}
	b.Calm()
}

// Names of folders and scenarios are shown as text, and link to their run.
func TestHostileNamesAreTextInABrowser(t *testing.T) {
	dir := t.TempDir()
	leave(t, filepath.Join(dir, hostileFolder), hostile, "FAIL", 1)
	if err := os.Symlink("/etc", filepath.Join(dir, hostileFolder, "away")); err != nil {
		t.Fatal(err)
	}
	leave(t, filepath.Join(dir, "x"+hostileFolder), hostile, "FAIL", 2)
	b, _ := visit(t, dir)
	text := b.Text("main")
	if !strings.Contains(text, hostile) || !strings.Contains(text, "symbolic links") || !strings.Contains(text, hostileFolder) {
		t.Errorf("the names are not shown:\n%s", text)
	}
	calm := func(where string) {
		if n := browser.Eval[int](b, "document.images.length"); n != 0 {
			t.Errorf("%s: %d images", where, n)
		}
		if title := browser.Eval[string](b, "document.title"); strings.HasPrefix(title, "broken") {
			t.Errorf("%s: a name has set the title", where)
		}
	}
	calm("index")
	b.Do(browser.Click(".rows th a"), chromedp.WaitVisible("#page article h1", chromedp.ByQuery))
	if heading := b.Text("#page article h1"); !strings.Contains(heading, "<img src=x") {
		t.Errorf("the run is called %q", heading)
	}
	calm("run")
	b.Calm()
}

// Without JavaScript the index is complete: verdicts, history, and links to the runs.
func TestTheIndexNeedsNoJavaScript(t *testing.T) {
	dir := t.TempDir()
	mixed(t, dir)
	b, address := visit(t, dir)
	b.Do(emulation.SetScriptExecutionDisabled(true), chromedp.Navigate(address+"/"), chromedp.WaitVisible(".rows", chromedp.ByQuery))
	text := b.Text("main")
	for _, fact := range []string{"1 of 3 scenarios failed", "1 FAIL", "flaky", "50 %", "Running now", "reload to see what is new"} {
		if !strings.Contains(text, fact) {
			t.Errorf("the page lacks %q:\n%s", fact, text)
		}
	}
	if strings.Contains(text, "search") {
		t.Error("a search is offered that does nothing")
	}
	b.Calm()
}
