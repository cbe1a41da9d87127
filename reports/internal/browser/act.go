package browser

import (
	"context"
	"fmt"

	"github.com/chromedp/chromedp"
)

// A page that renders again may replace an element between a query for it and its use. chromedp
// then fails with "Could not find node with given id". The actions here find and use an element
// in one evaluation, which the page cannot interrupt.

// Click waits until an element is visible and clicks in its middle. If another element covers
// that point, the browser would click that one, so Click fails.
func Click(selector string) chromedp.Action {
	return chromedp.Tasks{
		chromedp.WaitVisible(selector, chromedp.ByQuery),
		chromedp.ActionFunc(func(ctx context.Context) error {
			var at struct {
				X, Y  float64
				Cover string
			}
			if err := chromedp.Evaluate(fmt.Sprintf(`(() => {
				const e = document.querySelector(%q)
				e.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'})
				const r = e.getClientRects()[0], X = r.x + r.width / 2, Y = r.y + r.height / 2
				const top = document.elementFromPoint(X, Y)
				return {X, Y, Cover: e.contains(top) ? '' : top ? top.outerHTML.slice(0, 200) : 'the edge of the window'}
			})()`, selector), &at).Do(ctx); err != nil {
				return fmt.Errorf("click %s: %w", selector, err)
			}
			if at.Cover != "" {
				return fmt.Errorf("click %s: it is covered by %s", selector, at.Cover)
			}
			return chromedp.MouseClickXY(at.X, at.Y).Do(ctx)
		}),
	}
}

// Focus waits until an element is visible and gives it the focus.
func Focus(selector string) chromedp.Action {
	return chromedp.Tasks{
		chromedp.WaitVisible(selector, chromedp.ByQuery),
		chromedp.Evaluate(fmt.Sprintf("document.querySelector(%q).focus()", selector), nil),
	}
}
