package subject

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// builtin are the adapters that baton includes. They have the form of any adapter file.
//
//go:embed builtin/*.yaml
var builtin embed.FS

// Names lists the named subjects: the reference node and the built-in adapters.
func Names() []string {
	names := []string{ReferenceName}
	files, _ := builtin.ReadDir("builtin") // embedded: it cannot fail
	for _, file := range files {
		names = append(names, strings.TrimSuffix(file.Name(), ".yaml"))
	}
	return names
}

// Named finds a subject by its name, or reads the adapter file of a path, which has a slash
// or ends in .yaml. NAME:OPTION=VALUE is a variant with another default of an option, and
// has its own name.
func Named(name string) (Subject, error) {
	base, choices := cutChoices(name)
	if base == ReferenceName {
		if len(choices) > 0 {
			return nil, fmt.Errorf("%q: %s has no options; its settings are keys of a scenario's config lines", name, base)
		}
		return Reference{}, nil
	}
	a, err := adapterNamed(base)
	if err != nil {
		return nil, err
	}
	for _, choice := range choices {
		if err := a.prefer(choice); err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
	}
	return a, nil
}

// cutChoices splits the options off a subject's name.
func cutChoices(name string) (base string, choices []string) {
	for {
		at := strings.LastIndexByte(name, ':')
		if at < 0 || !strings.Contains(name[at:], "=") || strings.Contains(name[at:], "/") {
			return name, choices
		}
		name, choices = name[:at], slices.Insert(choices, 0, name[at+1:])
	}
}

// adapterNamed reads an adapter file or a built-in adapter.
func adapterNamed(name string) (*Adapter, error) {
	if strings.Contains(name, "/") || strings.HasSuffix(name, ".yaml") {
		return ReadAdapter(name)
	}
	text, err := Source(name)
	if err != nil {
		return nil, err
	}
	return ParseAdapter(name, text)
}

// prefer makes a value its option's default.
func (a *Adapter) prefer(choice string) error {
	option, value, _ := strings.Cut(choice, "=")
	values, known := a.Options[option]
	switch {
	case !known:
		return fmt.Errorf("no option %s; it has %s", option, orNone(slices.Sorted(maps.Keys(a.Options))))
	case !slices.Contains(values, value):
		return fmt.Errorf("option %s=%s: one of %s", option, value, strings.Join(values, ", "))
	}
	a.Options[option] = append([]string{value}, slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == value })...)
	a.Title += ":" + choice
	return nil
}

// orNone joins words, or returns "none".
func orNone(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

// Source returns the adapter file of a built-in subject.
func Source(name string) ([]byte, error) {
	if name == ReferenceName || !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("%q: the subjects with an adapter are %s; or give the path of your own file: ./my.yaml", name, strings.Join(Names()[1:], ", "))
	}
	return builtin.ReadFile("builtin/" + name + ".yaml")
}
