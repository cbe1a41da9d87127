package plan

import (
	"fmt"
	"slices"
	"strings"
)

// Set overrides the file's value of a configuration key: "ha.gates=off" for both nodes,
// "lb1.ha.priority=200" for one. Keys may be shortened as in a file.
func (p *Plan) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("%q is not KEY=VALUE", text)
	}
	node := ""
	if first, rest, ok := strings.Cut(name, "."); ok && slices.Contains(nodes, first) {
		node, name = first, rest
	}
	key, ok := KeyOf(name)
	if !ok {
		return fmt.Errorf("unknown configuration key %q%s", name, didYouMean(Nearest(name, keyWords())))
	}
	canonical, err := key.parse(value)
	if err != nil {
		return fmt.Errorf("%s: %w", key.Name, err)
	}
	p.Config = slices.DeleteFunc(p.Config, func(s Setting) bool {
		return s.Key == key.Name && (node == "" || s.Node == node)
	})
	p.Config = append(p.Config, Setting{Node: node, Key: key.Name, Value: canonical})
	return nil
}

func didYouMean(word string) string {
	if word == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", word)
}
