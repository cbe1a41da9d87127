package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// Edit is a change of one service of a running node.
type Edit struct {
	Verb    EditVerb       `json:"verb"`
	Service string         `json:"service,omitempty"`
	Backend netip.AddrPort `json:"backend,omitzero"`
	Weight  int            `json:"weight,omitempty"`
	Text    string         `json:"text,omitempty"` // YAML, as it stands in a file
}

// MaxText is the length of the longest text of a service.
const MaxText = 32 << 10

// EditVerb says what an Edit does.
type EditVerb string

const (
	AddService EditVerb = "service add" // Text is the whole service
	SetService EditVerb = "service set" // Text is the keys that change
	DelService EditVerb = "service del"
	AddBackend EditVerb = "backend add" // Weight is 1 if it is the backends' equal share
	SetBackend EditVerb = "backend set" // gives the backend a Weight
	DelBackend EditVerb = "backend del" // as an edit of the file: open flows stay
)

// Edit returns the configuration after an edit, and the name of the changed service. The
// result is checked like a file; errors name keys instead of lines.
func (c *Config) Edit(e Edit) (next *Config, service string, err error) {
	d := &document{file: string(e.Verb), lines: map[string]int{}, rules: map[string]string{}, unlined: true}
	tree, services, err := c.tree()
	if err != nil {
		return nil, "", err
	}
	i := slices.IndexFunc(c.Services, func(s Service) bool { return s.Name == e.Service })
	if e.Verb != AddService && i < 0 {
		return nil, "", d.failAt(0, "no service is called %q; baton status lists them", e.Service)
	}
	switch e.Verb {
	case AddService:
		added, err := d.mapping(e.Text)
		if err != nil {
			return nil, "", err
		}
		i = len(services.Content)
		services.Content = append(services.Content, added)
	case SetService:
		changed, err := d.mapping(e.Text)
		if err != nil {
			return nil, "", err
		}
		merge(services.Content[i], changed)
	case DelService:
		services.Content = slices.Delete(services.Content, i, i+1)
	default:
		s, err := d.editBackend(c.Services[i], e)
		if err != nil {
			return nil, "", err
		}
		if services.Content[i], err = nodeOf(s); err != nil {
			return nil, "", err
		}
	}
	if next, err = c.fromTree(d, tree); err != nil || e.Verb == DelService {
		return next, e.Service, err
	}
	if service = next.Services[i].Name; e.Verb == SetService && service != e.Service {
		return nil, "", d.fail(index("services", i)+".name", "%q is another name; delete %s and add a service", service, e.Service)
	}
	return next, service, nil
}

// editBackend returns a service with a backend changed.
func (d *document) editBackend(s Service, e Edit) (Service, error) {
	i := slices.Index(s.Backends, e.Backend)
	weights := make([]int, len(s.Backends))
	for j := range weights {
		weights[j] = s.weight(j)
	}
	s.Backends = slices.Clone(s.Backends)
	switch {
	case e.Verb == AddBackend:
		s.Backends, weights = append(s.Backends, e.Backend), append(weights, e.Weight)
	case i < 0:
		return s, d.failAt(0, "service %s has no backend %v; baton status lists them", s.Name, e.Backend)
	case e.Verb == SetBackend:
		weights[i] = e.Weight
	case e.Verb == DelBackend:
		s.Backends, weights = slices.Delete(s.Backends, i, i+1), slices.Delete(weights, i, i+1)
	default:
		return s, d.failAt(0, "is not known")
	}
	if s.Weights != nil || slices.ContainsFunc(weights, func(w int) bool { return w != 1 }) {
		s.Weights = weights
	}
	return s, nil
}

// Put returns the configuration with a service as in text, or without it if text is "".
func (c *Config) Put(name, text string) (*Config, error) {
	d := &document{file: "service " + name, lines: map[string]int{}, rules: map[string]string{}, unlined: true}
	tree, services, err := c.tree()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(c.Services, func(s Service) bool { return s.Name == name })
	switch {
	case text == "" && i < 0:
		return c, nil
	case text == "":
		services.Content = slices.Delete(services.Content, i, i+1)
		return c.fromTree(d, tree)
	}
	service, err := d.mapping(text)
	if err != nil {
		return nil, err
	}
	if i < 0 {
		services.Content = append(services.Content, service)
	} else {
		services.Content[i] = service
	}
	return c.fromTree(d, tree)
}

// Text returns a service in the form of Put, "" if there is none of the name.
func (c *Config) Text(name string) (string, error) {
	i := slices.IndexFunc(c.Services, func(s Service) bool { return s.Name == name })
	if i < 0 {
		return "", nil
	}
	text, err := yaml.Dump(c.Services[i])
	if err != nil {
		return "", fmt.Errorf("config: marshal service %s: %w", name, err)
	}
	return string(text), nil
}

// tree returns the configuration as a YAML tree, and its list of services.
func (c *Config) tree() (root, services *yaml.Node, err error) {
	if root, err = nodeOf(c); err != nil {
		return nil, nil, err
	}
	return root, valueOf(root, "services"), nil
}

// fromTree decodes and checks a configuration.
func (c *Config) fromTree(d *document, tree *yaml.Node) (*Config, error) {
	next := Default()
	if err := d.decode(tree, "", reflect.ValueOf(&next).Elem()); err != nil {
		return nil, err
	}
	for i, s := range next.Services {
		if isRelative(s.Check.Command) { // a file's are absolute by now
			return nil, d.fail(index("services", i)+".check.command", "%q is relative, but a running node has no folder; use an absolute path", s.Check.Command[0])
		}
	}
	if err := d.complete(&next, Options{AllowUnsafe: true, Remote: true}); err != nil {
		return nil, err
	}
	return &next, checkFamilies(d, c, &next)
}

// mapping parses the keys of a service.
func (d *document) mapping(text string) (*yaml.Node, error) {
	if len(text) > MaxText {
		return nil, d.failAt(0, "%d bytes are too many; use at most %d", len(text), MaxText)
	}
	var root yaml.Node
	if err := yaml.Load([]byte(text), &root); err != nil {
		return nil, d.failAt(0, "not YAML: %v", err)
	}
	if len(root.Content) == 0 || root.Content[0].Kind != yaml.MappingNode {
		return nil, d.failAt(0, "%q are not the keys of a service; write them as {name: web, port: 80, …}", strings.TrimSpace(text))
	}
	return root.Content[0], nil
}

// nodeOf converts a value to a YAML tree.
func nodeOf(v any) (*yaml.Node, error) {
	text, err := yaml.Dump(v)
	if err != nil {
		return nil, fmt.Errorf("config: marshal: %w", err)
	}
	var root yaml.Node
	if err := yaml.Load(text, &root); err != nil {
		return nil, fmt.Errorf("config: read what was marshalled: %w", err)
	}
	return root.Content[0], nil
}

// valueOf returns the value of a key, nil if there is none.
func valueOf(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// merge merges the keys of a mapping into another one, recursively.
func merge(into, from *yaml.Node) {
	for i := 0; i+1 < len(from.Content); i += 2 {
		key, value := from.Content[i], from.Content[i+1]
		old := valueOf(into, key.Value)
		switch {
		case old == nil:
			into.Content = append(into.Content, key, value)
		case old.Kind == yaml.MappingNode && value.Kind == yaml.MappingNode:
			merge(old, value)
		default:
			*old = *value
		}
	}
}
