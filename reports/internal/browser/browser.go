// Package browser drives the machine's chromium in tests of pages. All tests share one tab. It
// has no network unless a test serves the page itself, and its errors are recorded. Only tests
// import the package.
package browser

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

// started is the chromium that all tests share. The first test that needs it starts it.
var started struct {
	once sync.Once
	ctx  context.Context
	end  func() error
	err  error
}

// Main runs the tests of a package. Then it ends the browser and removes the browser's folder.
func Main(m *testing.M) {
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

// Browser is the tab, which tests use one after the other. It records errors of the page.
type Browser struct {
	T      *testing.T
	ctx    context.Context
	mu     sync.Mutex
	origin string   // that the page may request, "" for none
	bad    []string // console errors and warnings, exceptions, requests to other origins
}

// New returns the tab with an empty page. It skips the test if chromium is not installed.
func New(t *testing.T) *Browser {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		t.Skip("no " + chromium + ": install chromium (make setup)")
	}
	if started.once.Do(start); started.err != nil {
		t.Fatal(started.err)
	}
	ctx, cancel := context.WithTimeout(started.ctx, 2*time.Minute)
	t.Cleanup(cancel)
	b := &Browser{T: t, ctx: ctx}
	b.Do(chromedp.Navigate("about:blank"), emulation.ClearDeviceMetricsOverride(), emulation.SetEmulatedMedia(), emulation.SetScriptExecutionDisabled(false))
	chromedp.ListenTarget(ctx, b.note)
	b.Do(network.Enable(), runtime.Enable(), network.OverrideNetworkState(true, 0, -1, -1))
	return b
}

func (b *Browser) note(event any) {
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
		if !strings.HasPrefix(e.Request.URL, "file:") && !strings.HasPrefix(e.Request.URL, "blob:") && !b.serves(e.Request.URL) {
			b.bad = append(b.bad, "request: "+e.Request.URL)
		}
	}
}

func (b *Browser) serves(address string) bool {
	return b.origin != "" && strings.HasPrefix(address, b.origin+"/")
}

// Serve lets the page send requests to one origin that the test serves, http://127.0.0.1:PORT.
func (b *Browser) Serve(origin string) {
	b.T.Helper()
	b.mu.Lock()
	b.origin = origin
	b.mu.Unlock()
	b.Do(network.OverrideNetworkState(false, 0, -1, -1))
}

// Do runs actions. The test fails if one of them fails or waits until the timeout.
func (b *Browser) Do(actions ...chromedp.Action) {
	b.T.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.T.Fatal(err)
	}
}

// Open opens a page from disk and waits until its scripts are ready.
func (b *Browser) Open(page []byte, hash string) {
	b.T.Helper()
	file := filepath.Join(b.T.TempDir(), "index.html")
	if err := os.WriteFile(file, page, 0o644); err != nil {
		b.T.Fatal(err)
	}
	b.Do(chromedp.Navigate("file://"+file+hash), chromedp.WaitReady("html[data-ready]", chromedp.ByQuery))
}

// Text returns the visible text of an element.
func (b *Browser) Text(selector string) string {
	b.T.Helper()
	return Eval[string](b, fmt.Sprintf("document.querySelector(%q).innerText", selector))
}

// Eval returns the value of a JavaScript expression.
func Eval[T any](b *Browser, expression string) T {
	b.T.Helper()
	var value T
	b.Do(chromedp.Evaluate(expression, &value))
	return value
}

// Calm fails the test if the page had an error.
func (b *Browser) Calm() {
	b.T.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, bad := range b.bad {
		b.T.Error(bad)
	}
}

// Shoot saves a screenshot in the folder PAGE_SHOTS, if it is set.
func (b *Browser) Shoot(name string) {
	folder := os.Getenv("PAGE_SHOTS")
	if folder == "" {
		return
	}
	var png []byte
	b.Do(chromedp.FullScreenshot(&png, 100))
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644); err != nil {
		b.T.Fatal(err)
	}
}

// Busy returns the processor time of the page's main thread.
func (b *Browser) Busy() time.Duration {
	b.T.Helper()
	var metrics []*performance.Metric
	b.Do(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		metrics, err = performance.GetMetrics().Do(ctx)
		return err
	}))
	for _, m := range metrics {
		if m.Name == "TaskDuration" {
			return time.Duration(m.Value * float64(time.Second))
		}
	}
	b.T.Fatal("the browser reports no TaskDuration")
	return 0
}
