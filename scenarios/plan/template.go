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

// Template is the text of a new scenario of that name: one that runs, with comments that
// say what else can stand in each place.
func Template(name string) (string, error) {
	if !scenarioName.MatchString(name) {
		return "", fmt.Errorf("scenario name %q: only letters, digits, and - . _ after the first, since it names a directory", name)
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

// plainly is a row of a table of the reference without its marks.
func plainly(what, doc string) string {
	return fmt.Sprintf("%-34s %s", what, strings.ReplaceAll(doc, "`", ""))
}
