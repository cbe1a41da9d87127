package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

// TestExamplesSayHowManyMoreThereAre: the detail has the first few examples and the number of the rest.
func TestExamplesSayHowManyMoreThereAre(t *testing.T) {
	for n := range 2*shown + 1 {
		var x examples
		var details []string
		want := ""
		for i := range n {
			detail := fmt.Sprintf("detail %d", i)
			x.add(func() string { return detail })
			if details = append(details, detail); i < shown {
				if i > 0 {
					want += "; "
				}
				want += detail
			}
		}
		if n > shown {
			want += fmt.Sprintf("; and %d more", n-shown)
		}
		if got := x.String(); got != want || x.count != n || some(details, shown) != want {
			t.Errorf("%d examples: %q of %d, and of a list %q; want %q", n, got, x.count, some(details, shown), want)
		}
	}
}

// TestARandomStepIsJudgedAsItWasDrawn: the judge draws random steps by the run's seed.
func TestARandomStepIsJudgedAsItWasDrawn(t *testing.T) {
	text := "scenario s\nservice web tcp 198.18.0.100:80\nservice dns udp 198.18.0.100:53\ntraffic web sessions tcp count=2 every=100ms\ntraffic probe probe udp\n" +
		"@0s wait lb1 is Master and lb2 insync within 3s\nrandomly between 1s and 3s crash lb1 or freeze lb1 or kill lb1\n expect lb2 is Master within 500ms\n@6s end\n"
	p, problems := plan.Check("s.scn", []byte(text))
	if errs := problems.Errors(true); len(errs) > 0 {
		t.Fatal(errs)
	}
	drawn := p.Drawn(7) // the seed of the tape
	i := slices.IndexFunc(drawn.Steps, func(s plan.Step) bool { return s.Verb != plan.VerbWait })
	tape := crash()
	tape.without(func(e trace.Event) bool { return e.Fault != nil && e.Fault.Phase == "receipt" && e.Fault.ID == 1 })
	for _, e := range *tape {
		if e.Fault != nil {
			e.Fault.Verb = map[bool]string{true: drawn.Steps[i].Verb, false: e.Fault.Verb}[e.Fault.ID == 1]
		}
		if e.Step != nil && e.At > ms(1000) && e.At < ms(3000) {
			e.Step.Text = drawn.Steps[i].Verb
		}
	}
	if got, want := show(judgedAs(drawn, p, tape)), show(judgedAs(drawn, drawn, tape)); got != want || !strings.Contains(got, "no receipt") {
		t.Errorf("the plan with its random step:\n%s\nas drawn:\n%s", got, want)
	}
}
