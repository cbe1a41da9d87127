package page

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"baton/reports/internal/browser"
)

// The page shows the packets around the largest damage, including the RST. Those of other damage
// are a click away. Without packets the page says why.
func TestPacketsStandBesideTheirDamage(t *testing.T) {
	b := browser.New(t)
	b.Open(written(t, report(t, 20, 300)), "#run-0")
	b.Do(chromedp.WaitVisible(".cluster[open] table", chromedp.ByQuery))
	first := b.Text(".cluster")
	for _, fact := range []string{"300 RSTs, 300 sessions lost, 95 ms after restore lb1", "−100 µs", "clients/lb1", "PSH,ACK", "capture.pcapng"} {
		if !strings.Contains(first, fact) {
			t.Errorf("the packets lack %q:\n%s", fact, first)
		}
	}
	if strings.Contains(first, "far away") {
		t.Errorf("a packet of another time is among them:\n%s", first)
	}
	if bad := b.Text(".cluster tr.bad"); !strings.Contains(bad, "RST seq 2") {
		t.Errorf("marked is %q", bad)
	}
	if open := browser.Eval[bool](b, `document.querySelectorAll('.cluster')[1].open`); open {
		t.Error("the smaller damage is open too")
	}
	b.Do(browser.Click(".cluster:nth-of-type(2) summary"))
	if second := b.Text(".cluster:nth-of-type(2)"); !strings.Contains(second, "no packet within 50 ms") {
		t.Errorf("nothing says why there are no packets:\n%s", second)
	}
	before := browser.Eval[string](b, `document.querySelector('.scale').textContent`)
	b.Do(browser.Click(".cluster button"))
	if browser.Eval[string](b, `document.querySelector('.scale').textContent`) == before {
		t.Error("the button does not show the moment on the axis")
	}
	b.Calm()
}

// The page shows the tables of both nodes side by side: the differences first, and links to the
// complete tables.
func TestTablesStandSideBySide(t *testing.T) {
	b := browser.New(t)
	b.Open(written(t, report(t, 20, 3)), "#run-0")
	b.Do(chromedp.WaitVisible(".tables table", chromedp.ByQuery))
	text := b.Text(".tables")
	for _, fact := range []string{"lb1 lacks 498 flows that lb2 has", "lb1 has", "lb2 has", "no entry", "established tcp 198.18.1.11:80", "reset", "1 of 500 flows", "no table: "} {
		if !strings.Contains(text, fact) {
			t.Errorf("the tables lack %q:\n%s", fact, text)
		}
	}
	if href := browser.Eval[string](b, `document.querySelector('.tables p a').getAttribute('href')`); href != "./run-0/table-lb2.txt" {
		t.Errorf("the whole table is at %q", href)
	}
	if n := browser.Eval[int](b, `document.querySelectorAll('.tables p a').length`); n != 1 {
		t.Errorf("%d links of one file", n)
	}
	b.Calm()
}
