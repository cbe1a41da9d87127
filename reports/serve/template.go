package serve

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/url"
	"strings"

	"baton/reports/inert"
)

//go:embed web/index.html
var indexText string

// indexPage is the index. Whatever comes from a file is escaped by html/template for
// the place where it stands.
var indexPage = template.Must(template.New("index").Funcs(template.FuncMap{
	"inert": inert.Terminal, "lower": strings.ToLower, "sign": sign, "way": way, "badge": badge,
	"percent": func(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) },
}).Parse(indexText))

// sign is a verdict as one character.
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

// badge is a verdict as the report's page shows it.
func badge(verdict, text string) template.HTML {
	tone := map[string]string{"PASS": "good", "FAIL": "bad", "INCONCLUSIVE": "warn"}[verdict]
	return template.HTML(fmt.Sprintf(`<span class="badge %s"><span aria-hidden="true">%s</span> %s</span>`, tone, sign(verdict), template.HTMLEscapeString(text)))
}

// way is the address of a run's page.
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
