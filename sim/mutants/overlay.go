package mutants

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Apply returns the changed text of the files that the mutant edits, by their
// paths from the module's root. Old text that does not occur exactly once is an error.
func (m Mutant) Apply(root string) (map[string]string, error) {
	changed := map[string]string{}
	for _, e := range m.Edits {
		text, ok := changed[e.File]
		if !ok {
			content, err := os.ReadFile(filepath.Join(root, e.File))
			if err != nil {
				return nil, fmt.Errorf("mutants: apply %s: %w", m.Name, err)
			}
			text = string(content)
		}
		// Hunks are whole lines.
		if n := strings.Count("\n"+text, "\n"+e.Old); n != 1 {
			return nil, fmt.Errorf("mutants: apply %s: %s holds the old text %d times, not once:\n%s", m.Name, e.File, n, e.Old)
		}
		changed[e.File] = strings.Replace("\n"+text, "\n"+e.Old, "\n"+e.New, 1)[1:]
	}
	return changed, nil
}

// overlay writes the mutant's files and the overlay for go build that puts them in
// place of the real ones into dir, and returns the overlay's path.
func (m Mutant) overlay(root, dir string) (string, error) {
	changed, err := m.Apply(root)
	if err != nil {
		return "", err
	}
	var o struct{ Replace map[string]string }
	o.Replace = map[string]string{}
	for file, text := range changed {
		copied := filepath.Join(dir, strconv.Itoa(len(o.Replace))+".go")
		if err := os.WriteFile(copied, []byte(text), 0o644); err != nil {
			return "", fmt.Errorf("mutants: overlay %s: %w", m.Name, err)
		}
		o.Replace[filepath.Join(root, file)] = copied
	}
	content, err := json.Marshal(o)
	if err != nil {
		return "", fmt.Errorf("mutants: overlay %s: %w", m.Name, err)
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return "", fmt.Errorf("mutants: overlay %s: %w", m.Name, err)
	}
	return path, nil
}
