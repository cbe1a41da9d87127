package ha

import (
	"fmt"
	"io"
	"strings"
)

// Render writes the whole transition table and the state diagram as Markdown:
// the golden file of this package's tests, and a page of the documentation.
func Render(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Roles\n\nGenerated from `impl/ha/table.go`; `go test ./impl/ha -update` writes it.\n\n")
	renderDiagram(&b)
	b.WriteString("\n## Transitions\n\nOf one role and event the first line whose gates match applies. " +
		"What is not listed leaves the role as it is.\n\n")
	b.WriteString("| role | event | gates | becomes | actions, in order | reason |\n|---|---|---|---|---|---|\n")
	for _, role := range Roles() {
		for _, event := range Events() {
			for _, r := range table[role][event] {
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", role, event, r.condition(), r.to, join(r.actions), r.reason)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func renderDiagram(b *strings.Builder) {
	b.WriteString("```mermaid\nstateDiagram-v2\n    [*] --> Init\n")
	for _, role := range Roles() {
		for _, event := range Events() {
			for _, r := range table[role][event] {
				if r.to != role {
					fmt.Fprintf(b, "    %s --> %s: %s\n", role, r.to, strings.ReplaceAll(r.reason, ":", ","))
				}
			}
		}
	}
	b.WriteString("```\n")
}

func (r rule) condition() string {
	var parts []string
	if r.open != 0 {
		parts = append(parts, strings.Join(r.open.Names(), " ∧ "))
	}
	if r.shut != 0 {
		parts = append(parts, "¬("+strings.Join(r.shut.Names(), " ∧ ")+")")
	}
	if parts == nil {
		return "any"
	}
	return strings.Join(parts, " ∧ ")
}

func join(actions []Action) string {
	names := make([]string, len(actions))
	for i, a := range actions {
		names[i] = a.String()
	}
	return strings.Join(names, " → ")
}
