package serve

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"baton/reports/sanitize"
)

//go:embed web/index.html
var indexText string

// indexPage is the index. html/template escapes all text from files for its context.
var indexPage = template.Must(template.New("index").Funcs(template.FuncMap{
	"sanitize": sanitize.Terminal, "lower": strings.ToLower, "sign": sign, "way": way, "badge": badge,
	"verdicts": verdicts, "clock": clock, "scenarios": scenarios,
	"percent": func(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) },
}).Parse(indexText))

// count is the number of scenarios with a verdict.
type count struct {
	Verdict string
	N       int
}

// verdicts returns the counts, the worst verdict first.
func verdicts(counts map[string]int) []count {
	var list []count
	for _, verdict := range slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Compare(rank(a), rank(b)) }) {
		list = append(list, count{verdict, counts[verdict]})
	}
	return list
}

// scenarios formats the number of scenarios.
func scenarios(list []History) string {
	if len(list) == 1 {
		return "1 scenario"
	}
	return fmt.Sprintf("%d scenarios", len(list))
}

// clock formats a time in UTC. Text that is not a time stays unchanged.
func clock(stamp string) string {
	at, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return stamp
	}
	return at.UTC().Format("2006-01-02 15:04:05 UTC")
}

// sign returns a verdict as one character.
func sign(verdict string) string {
	switch verdict {
	case "PASS":
		return "✓"
	case "FAIL":
		return "✕"
	case "INCONCLUSIVE":
		return "?"
	}
	return "–"
}

// badge renders a verdict as the report's page does.
func badge(verdict, text string) template.HTML {
	tone := map[string]string{"PASS": "good", "FAIL": "bad", "INCONCLUSIVE": "warn"}[verdict]
	return template.HTML(fmt.Sprintf(`<span class="badge %s"><span aria-hidden="true">%s</span> %s</span>`, tone, sign(verdict), template.HTMLEscapeString(text)))
}

// way returns the address of a run's page.
func way(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i] = url.PathEscape(segment)
	}
	if path == "." {
		return "/runs/#run-0"
	}
	return "/runs/" + strings.Join(segments, "/") + "/#run-0"
}
