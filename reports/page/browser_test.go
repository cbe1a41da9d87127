package page

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const chromium = "/usr/bin/chromium"

// started is the chromium of all tests, which starts with the first that needs it.
var started struct {
	once sync.Once
	ctx  context.Context
	end  func() error
	err  error
}

// TestMain ends the browser after the tests: it must have gone before its folder is
// removed.
func TestMain(m *testing.M) {
	code := m.Run()
	if started.end != nil {
		if err := started.end(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func start() {
	folder, err := os.MkdirTemp("", "chromium")
	if err != nil {
		started.err = err
		return
	}
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(chromium), chromedp.UserDataDir(folder)}
	for _, flag := range []string{"headless", "no-sandbox", "disable-gpu", "disable-background-networking", "disable-component-update", "disable-sync", "no-first-run"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	started.ctx, started.err = ctx, chromedp.Run(ctx)
	started.end = func() error {
		err := chromedp.Cancel(ctx)
		stop()
		return errors.Join(err, os.RemoveAll(folder))
	}
}

// browser is the tab of all tests, one after the other, without network. It notes
// what goes wrong in the page.
type browser struct {
	t   *testing.T
	ctx context.Context
	mu  sync.Mutex
	bad []string // console errors, exceptions, requests that left the disk
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		t.Skip("no " + chromium + ": install chromium (make setup)")
	}
	if started.once.Do(start); started.err != nil {
		t.Fatal(started.err)
	}
	ctx, cancel := context.WithTimeout(started.ctx, 2*time.Minute)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	b.do(chromedp.Navigate("about:blank"), emulation.ClearDeviceMetricsOverride(), emulation.SetEmulatedMedia())
	chromedp.ListenTarget(ctx, b.note)
	b.do(network.Enable(), runtime.Enable(), network.OverrideNetworkState(true, 0, -1, -1))
	return b
}

func (b *browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.bad = append(b.bad, "exception: "+e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			b.bad = append(b.bad, fmt.Sprintf("console %s: %s", e.Type, e.Args[0].Value))
		}
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, "file:") && !strings.HasPrefix(e.Request.URL, "blob:") {
			b.bad = append(b.bad, "request: "+e.Request.URL)
		}
	}
}

// do runs actions; what they wait for must come.
func (b *browser) do(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// open opens a page from disk and waits until it can be used.
func (b *browser) open(page []byte, hash string) {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "index.html")
	if err := os.WriteFile(file, page, 0o644); err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.Navigate("file://"+file+hash), chromedp.WaitReady("html[data-ready]", chromedp.ByQuery))
}

// text is what an element says.
func (b *browser) text(selector string) string {
	b.t.Helper()
	var text string
	b.do(chromedp.Text(selector, &text, chromedp.ByQuery))
	return text
}

// eval is the value of an expression.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	var value T
	b.do(chromedp.Evaluate(expression, &value))
	return value
}

// calm fails if anything went wrong in the page.
func (b *browser) calm() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, bad := range b.bad {
		b.t.Error(bad)
	}
}

func (b *browser) shoot(name string) {
	folder := os.Getenv("PAGE_SHOTS")
	if folder == "" {
		return
	}
	var png []byte
	b.do(chromedp.FullScreenshot(&png, 100))
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// busy is the processor time that the page's thread has taken.
func (b *browser) busy() time.Duration {
	b.t.Helper()
	var metrics []*performance.Metric
	b.do(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		metrics, err = performance.GetMetrics().Do(ctx)
		return err
	}))
	for _, m := range metrics {
		if m.Name == "TaskDuration" {
			return time.Duration(m.Value * float64(time.Second))
		}
	}
	b.t.Fatal("the browser tells no TaskDuration")
	return 0
}
