package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagTakes says what a flag of a type takes.
var flagTakes = map[string]string{
	"int":      "one whole number",
	"uint64":   "one whole number, 0 or more",
	"uint32":   "one whole number, 0 or more",
	"float64":  "one number",
	"duration": "one time such as 500ms or 10s",
	"bool":     "true or false",
}

// ranges are notations of several numbers.
var ranges = regexp.MustCompile(`^([0-9]+)(?:\.\.\.?|-|:|,)([0-9]+)$`)

// rangeFlags are the pairs of flags that together stand for a range: the first number, and how many follow.
var rangeFlags = []struct{ first, count string }{{"seed", "repeat"}, {"start", "seeds"}}

// flagError says what a flag takes if it has another value.
func flagError(c *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) || flagTakes[invalid.GetFlag().Value.Type()] == "" {
		return err
	}
	f, value := invalid.GetFlag(), invalid.GetValue()
	return fmt.Errorf("--%s takes %s, not %q%s", f.Name, flagTakes[f.Value.Type()], value, insteadOfRange(c, f.Name, value))
}

// insteadOfRange says how a command is given a range of numbers, "" if the value is none.
func insteadOfRange(c *cobra.Command, name, value string) string {
	ends := ranges.FindStringSubmatch(value)
	if ends == nil {
		return ""
	}
	first, errFirst := strconv.ParseUint(ends[1], 10, 32)
	last, errLast := strconv.ParseUint(ends[2], 10, 32)
	if errFirst != nil || errLast != nil || last < first {
		return ""
	}
	for _, s := range rangeFlags {
		if (name == s.first || name == s.count) && c.Flags().Lookup(s.first) != nil && c.Flags().Lookup(s.count) != nil {
			return fmt.Sprintf("; --%s %d --%s %d is %s to %s", s.first, first, s.count, last-first+1, ends[1], ends[2])
		}
	}
	return "; call the command once for each " + strings.ReplaceAll(name, "-", " ")
}
