package subject

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"baton/scenarios/capability"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// timeout is the default timeout of a command.
const timeout = 10 * time.Second

// ReadAdapter reads and checks an adapter file.
func ReadAdapter(file string) (*Adapter, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	a, err := ParseAdapter(file, text)
	if err != nil {
		return nil, err
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("subject: %w", err)
	}
	a.Folder = filepath.Dir(path)
	return a, nil
}

// ParseAdapter parses the text of an adapter file. The error has a line for each mistake:
// file:line: key: the correction.
func ParseAdapter(file string, text []byte) (*Adapter, error) {
	m := mistakes{file: file, lines: map[string]int{}}
	var root, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		m.syntax(err)
		return nil, m.err()
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		m.add(second.Line, "a second document begins; an adapter is one")
	case !errors.Is(err, io.EOF):
		m.syntax(err)
	}
	a := &Adapter{Roles: RolesByWire, Timeout: timeout}
	if len(root.Content) > 0 && m.keys(root.Content[0]) {
		if err := root.Decode(a); err != nil {
			m.syntax(err)
		}
	}
	if len(m.found) == 0 {
		m.values(a)
	}
	if len(m.found) > 0 {
		return nil, m.err()
	}
	a.places = placesOf(file, &root, "needs")
	return a, nil
}

// placesOf returns the place of each value in the list of a key.
func placesOf(file string, root *yaml.Node, key string) map[string]string {
	places := map[string]string{}
	if len(root.Content) == 0 {
		return places
	}
	pairs := root.Content[0].Content
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i].Value != key {
			continue
		}
		for _, value := range pairs[i+1].Content {
			places[value.Value] = fmt.Sprintf("%s:%d: ", file, value.Line)
		}
	}
	return places
}

// mistakes lists the errors of an adapter file.
type mistakes struct {
	file  string
	lines map[string]int // by key
	found []mistake
}

type mistake struct {
	line int
	text string
}

// add notes a mistake at a line, or at line 1 if the key is not in the file.
func (m *mistakes) add(line int, format string, args ...any) {
	m.found = append(m.found, mistake{max(line, 1), fmt.Sprintf(format, args...)})
}

// err lists the mistakes in the order of their lines.
func (m *mistakes) err() error {
	slices.SortFunc(m.found, func(a, b mistake) int { return cmp.Or(a.line-b.line, strings.Compare(a.text, b.text)) })
	var all []error
	for _, each := range m.found {
		all = append(all, fmt.Errorf("%s:%d: %s", m.file, each.line, each.text))
	}
	return errors.Join(all...)
}

// misfit describes a value that is of another kind than its key's.
func (m *mistakes) misfit(e *yaml.LoadError) string {
	key := m.keyOf(e.Mark.Line)
	switch _, wanted, _ := strings.Cut(e.Message, " into "); {
	case key == "timeout":
		return "timeout: not a duration; write for example 10s"
	case wanted == "[]string":
		return key + ": not a list; write the values in brackets, as [a, b]"
	case wanted == "string":
		return key + ": not a text, but a list or keys and values"
	case wanted == "map[string]string":
		return key + ": not keys and values; write them as {NAME: value}"
	case wanted == "map[string][]string":
		return key + ": not keys and lists; write them as {name: [a, b]}"
	}
	return "invalid value: " + e.Message
}

// keyOf is the key whose value a line is part of.
func (m *mistakes) keyOf(line int) (key string) {
	for each, at := range m.lines { // order does not matter: the lines differ
		if at <= line && at > m.lines[key] {
			key = each
		}
	}
	return key
}

// syntax notes the errors of the YAML library.
func (m *mistakes) syntax(err error) {
	var many *yaml.LoadErrors
	var one *yaml.LoadError
	switch {
	case errors.As(err, &many):
		for _, each := range many.Errors {
			m.add(each.Mark.Line, "%s", m.misfit(each))
		}
	case errors.As(err, &one):
		m.add(one.Mark.Line, "not YAML: %s", one.Message)
	default:
		m.add(1, "not YAML: %v", err)
	}
}

// keys notes the lines of all keys, and the unknown keys. It returns false if the file has no keys.
func (m *mistakes) keys(root *yaml.Node) bool {
	if root.Kind != yaml.MappingNode {
		m.add(root.Line, "an adapter is keys and values, such as name: mine")
		return false
	}
	var known []string
	for field := range reflect.TypeFor[Adapter]().Fields() {
		if name := field.Tag.Get("yaml"); name != "-" {
			known = append(known, name)
		}
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key := root.Content[i]
		m.lines[key.Value] = key.Line
		if slices.Contains(known, key.Value) {
			continue
		}
		if near := plan.Nearest(key.Value, known); near != "" {
			m.add(key.Line, "%s is not a key; did you mean %q?", key.Value, near)
			continue
		}
		m.add(key.Line, "%s is not a key; the keys are %s", key.Value, strings.Join(known, ", "))
	}
	return true
}

// Names in an adapter. The adapter's own is also the name of a folder.
var (
	titlePattern  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	envPattern    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	optionPattern = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// systemFolders are what a private folder must not hide.
var systemFolders = []string{"/", "/bin", "/dev", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr", "/usr/bin", "/usr/lib", "/usr/sbin"}

// suggested is the adapter's name without the characters that it may not have.
func suggested(title string) string {
	words := strings.FieldsFunc(title, func(r rune) bool { return !titlePattern.MatchString(string(r)) && r != '_' })
	return cmp.Or(strings.Join(words, "-"), "mine")
}

func (m *mistakes) values(a *Adapter) {
	wrong := func(bad bool, key, format string, args ...any) {
		if bad {
			m.add(m.lines[key], key+": "+format, args...)
		}
	}
	ways := []string{RolesByWire, RolesByPoll, RolesByTrace}
	wrong(a.Title == "", "name", "is missing; say what reports call the subject")
	wrong(a.Title != "" && !titlePattern.MatchString(a.Title), "name", "%q: letters, digits, - _ and . only, as %s", a.Title, suggested(a.Title))
	wrong(a.Title == ReferenceName, "name", "%q is baton's own node; choose another", a.Title)
	wrong(a.Start == "" && a.Run == "", "run", "both run and start are missing; start returns once the node runs, run is the node itself")
	wrong(!slices.Contains(ways, a.Roles), "roles", "%q: one of %s", a.Roles, strings.Join(ways, ", "))
	wrong(a.Roles == RolesByPoll && a.Role == "", "roles", "poll needs role: a command that prints MASTER or BACKUP")
	wrong(a.Roles != RolesByPoll && a.Role != "", "role", "is only used with roles: poll")
	wrong(a.Timeout <= 0 || a.Timeout > time.Minute, "timeout", "%s: more than 0, at most 1m", a.Timeout)
	for _, name := range a.Provided {
		wrong(!slices.Contains(capability.Names(), name), "provides", "%q: the capabilities are %s", name, strings.Join(capability.Names(), ", "))
		wrong(a.Roles != RolesByTrace, "provides", "%s: needs roles: trace", name)
		wrong(slices.Contains([]string{capability.Table, capability.Services, capability.Drain, capability.Breakable, capability.Certificates, capability.Versions}, name), "provides", "%s: adapters cannot provide it yet", name)
		wrong(name == capability.Handover || name == capability.Reload, "provides", "%s: follows from the command %s", name, name)
	}
	for _, name := range a.Families {
		wrong(!slices.Contains([]string{lab.IPv4.String(), lab.IPv6.String()}, name), "families", "%q: one of %s, %s", name, lab.IPv4, lab.IPv6)
	}
	var words []string
	for _, each := range special {
		words = append(words, each.word)
	}
	for _, word := range a.Forwards {
		wrong(!slices.Contains(words, word), "forwards", "%q: one of %s", word, strings.Join(words, ", "))
	}
	wrong(slices.Contains(a.Needs, ""), "needs", "a program without a name")
	for name := range a.Env { // order does not matter: err sorts
		wrong(!envPattern.MatchString(name), "env", "%q: not the name of a variable", name)
		wrong(strings.HasPrefix(name, "BATON_"), "env", "%s: baton sets the variables that begin with BATON_", name)
	}
	for name, values := range a.Options { // order does not matter: err sorts
		wrong(!optionPattern.MatchString(name), "options", "%q: small letters, digits and _ only: the variable is BATON_OPTION_NAME", name)
		wrong(len(values) == 0 || slices.Contains(values, ""), "options", "%s: list its values, the default first", name)
	}
	for key, folders := range map[string][]string{"mounts": a.Mounts, "logs": a.Logs} { // order does not matter: err sorts
		for _, dir := range folders {
			wrong(!filepath.IsAbs(dir), key, "%q: not an absolute path", dir)
			wrong(slices.Contains(systemFolders, filepath.Clean(dir)), key, "%s: every node needs what is in it; name a folder below it", dir)
		}
	}
	kept := map[string]string{}
	for _, dir := range a.Logs {
		other, twice := kept[filepath.Base(dir)]
		wrong(twice, "logs", "%s and %s would be kept in one folder, as they have the same name", other, dir)
		kept[filepath.Base(dir)] = dir
	}
}
