package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const stormy = preamble + `@0s  wait lb1 is Master
randomly between 1s and 3s crash lb1 for 1s or freeze lb2 for 500ms
     expect masters == 1
storm 4 between 6s and 10s cut sync for 300ms or down lb2 via clients for 200ms
@11s end
`

// TestASeedAlwaysDrawsTheSameSteps, and different seeds draw different times and faults. All are within
// their bounds, in order of time, each with its undoing.
func TestASeedAlwaysDrawsTheSameSteps(t *testing.T) {
	p := mustParse(t, stormy)
	if again := mustParse(t, Print(p)); Print(again) != Print(p) {
		t.Errorf("reads back otherwise:\n%s\n%s", Print(p), Print(again))
	}
	seen := map[string]bool{}
	for seed := range uint64(40) {
		drawn := p.Drawn(seed)
		if strings.Join(steps(drawn), "\n") != strings.Join(steps(p.Drawn(seed)), "\n") {
			t.Fatalf("seed %d draws twice and not the same", seed)
		}
		list := drawn.Steps
		if !slices.IsSortedFunc(list, func(a, b Step) int { return int(a.At - b.At) }) || list[len(list)-1].Verb != VerbEnd {
			t.Fatalf("seed %d: %v", seed, steps(drawn))
		}
		cuts := 0
		for i, s := range list {
			switch {
			case s.Random != nil:
				t.Fatalf("seed %d: not drawn: %s", seed, s)
			case s.Verb == VerbExpect && list[drawn.Anchor(i)].Fault == nil:
				t.Errorf("seed %d: a claim lost its fault: %v", seed, steps(drawn))
			case s.Verb == "crash" || s.Verb == "freeze":
				seen[s.Verb] = true
				if s.At < time.Second || s.At > 3*time.Second {
					t.Errorf("seed %d: %s at %v", seed, s, s.At)
				}
			case s.Verb == "cut" || s.Verb == "down":
				seen[s.Verb] = true
				cuts++
			}
		}
		if cuts != 4 || len(list) != 2+3+8 {
			t.Errorf("seed %d: %d parts of the storm: %v", seed, cuts, steps(drawn))
		}
		seen[strings.Join(steps(drawn), "\n")] = true
	}
	if len(seen) < 40 {
		t.Errorf("only %d different draws", len(seen))
	}
	plain := mustParse(t, preamble+"@1s end\n")
	if plain.Drawn(1) != plain {
		t.Error("a plan without chance is copied")
	}
}

func TestInvalidRandomStepsAreRefused(t *testing.T) {
	for line, want := range map[string]string{
		"@1s randomly between 1s and 2s crash lb1":                 `7:1: a random step takes no @TIME`,
		"randomly between 2s and 2s crash lb1":                     `7:25: 2s is not after 2s`,
		"randomly between 1 and 2s crash lb1":                      `7:18: between: duration "1" has no unit; did you mean "1ms"?`,
		"randomly between 1s and 2s crush lb1":                     `7:28: unknown fault "crush"; did you mean "crash"?`,
		"randomly between 1s and 2s crash lb3":                     `7:34: unknown host "lb3"`,
		"randomly between 1s and 2s heal":                          `heal: nothing to heal`,
		"randomly between 1s and 2s flap sync every 1s for 1s":     `7:44: a random fault takes no every`,
		"storm 0 between 1s and 2s crash lb1 for 1ms":              `7:7: storm: 0 is not a whole number from 1 to 1000`,
		"storm 4 between 1s and 2s cut sync for 300ms":             `7:1: 4 parts of 1s have 250ms each, but cut lasts for 300ms`,
		"storm 2 between 1s and 2s crash lb1":                      `crash lb1: lb1 has crashed already`,
		"randomly between 1s and 2s crash lb1 for 1s or crash lb9": `unknown host "lb9"`,
	} {
		_, found := Check("s.scn", []byte(preamble+line+"\n@9s end\n"))
		if errs := found.Errors(true); len(errs) == 0 || !strings.Contains(fmt.Sprint(errs), want) {
			t.Errorf("%q: %v, want %q", line, errs, want)
		}
	}
}
