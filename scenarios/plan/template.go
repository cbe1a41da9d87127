package plan

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"baton/scenarios/fault"
	"baton/scenarios/metric"
)

//go:embed template.scn
var templateText string

var newScenario = template.Must(template.New("scenario").Parse(templateText))

// Template returns the text of a new scenario that runs as it is, with comments that list the
// alternatives of each line.
func Template(name string) (string, error) {
	if !scenarioName.MatchString(name) {
		return "", fmt.Errorf("scenario name %q: use letters and digits, and - . _ after the first; it is also the name of a folder", name)
	}
	data := struct {
		Name, Kinds, Named    string
		Keys, Metrics, Faults []string
	}{Name: name, Kinds: oneOf(kinds), Named: oneOf(named)}
	for _, k := range Keys {
		data.Keys = append(data.Keys, plainly(k.Name, k.Doc))
	}
	for _, m := range metric.All() {
		data.Metrics = append(data.Metrics, plainly(m.Name, m.Doc))
	}
	for _, v := range fault.Verbs() {
		forms := v.Forms()
		i := max(0, slices.IndexFunc(forms, func(f string) bool { return strings.Contains(f, "FROM->TO") }))
		data.Faults = append(data.Faults, plainly(forms[i], v.Doc))
	}
	var text strings.Builder
	if err := newScenario.Execute(&text, data); err != nil {
		return "", fmt.Errorf("plan: template: %w", err)
	}
	return text.String(), nil
}

// plainly formats a row of a reference table without Markdown.
func plainly(what, doc string) string {
	return fmt.Sprintf("%-34s %s", what, strings.ReplaceAll(doc, "`", ""))
}
