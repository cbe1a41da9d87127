package subject

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

// builtin are the adapters that baton brings along. They are files like anybody's.
//
//go:embed builtin/*.yaml
var builtin embed.FS

// Names lists the subjects that have a name: the reference node and the built-in adapters.
func Names() []string {
	names := []string{ReferenceName}
	files, _ := builtin.ReadDir("builtin") // embedded: it cannot fail
	for _, file := range files {
		names = append(names, strings.TrimSuffix(file.Name(), ".yaml"))
	}
	return names
}

// Named finds a subject by its name, or reads the adapter file of that path: one that
// has a slash or ends in .yaml.
func Named(name string) (Subject, error) {
	switch {
	case name == ReferenceName:
		return Reference{}, nil
	case strings.Contains(name, "/") || strings.HasSuffix(name, ".yaml"):
		return ReadAdapter(name)
	}
	text, err := Source(name)
	if err != nil {
		return nil, err
	}
	return ParseAdapter(name, text)
}

// Source is the adapter file of a built-in subject.
func Source(name string) ([]byte, error) {
	if name == ReferenceName || !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("%q: the subjects with an adapter are %s; the path of your own is as good: ./my.yaml", name, strings.Join(Names()[1:], ", "))
	}
	return builtin.ReadFile("builtin/" + name + ".yaml")
}
