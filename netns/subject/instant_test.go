package subject_test

import "testing"

// TestFaultsOfOneInstantBeginTogether: the timeline does not wait for the proof of a cut before it
// freezes a backend. The proof may finish first by chance, but not in all five rounds.
func TestFaultsOfOneInstantBeginTogether(t *testing.T) {
	t.Parallel()
	_, events := execute(t, "run: exec sleep 60\n", "masters <= 2", "@0s wait lb1 is not Master within 3s\n"+
		"@200ms repeat 5 every 300ms {\n@0s cut lb1<->lb2 for 100ms\ncut lb1->clients for 100ms\n@0s freeze backend1 for 100ms\n}\n@2s end\n")
	together, cuts := 0, map[int]bool{} // cut ID to whether its receipt is there
	for _, e := range events {
		switch f := e.Fault; {
		case f == nil:
		case f.Verb == "cut" && f.Phase != "receipt" && f.Phase != "begin":
			t.Errorf("%s: %s", f.What(), f.Receipt)
		case f.Verb == "cut":
			cuts[f.ID] = f.Phase == "receipt"
		case f.Verb == "freeze" && f.Phase == "begin":
			for _, proven := range cuts { // order does not matter
				if !proven {
					together++
					break
				}
			}
		}
	}
	if len(cuts) != 10 || together == 0 {
		t.Errorf("%d cuts; a freeze began beside the proof of one %d times in 5", len(cuts), together)
	}
}
