package node

import (
	"slices"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/ha"
)

// TestALateAnswerOfAnInterruptedScrubOrMergeChangesNothing: it belongs to another role, or to entries that are no longer
// in question. The answer that the present one waits for is still to come.
func TestALateAnswerOfAnInterruptedScrubOrMergeChangesNothing(t *testing.T) {
	n := fullNode(t)
	n.Ready()
	for _, c := range []struct {
		what   string
		scrub  scrubStage
		merge  mergeStage
		answer uint64
	}{
		{"while another is awaited", scrubExamining, mergeWriting, 6},
		{"after the end", scrubResting, mergeResting, 7},
	} {
		for _, failure := range []string{"", "late"} {
			n.scrub.stage, n.scrub.awaited, n.scrub.suspects = c.scrub, 7, []suspect{{}}
			n.merging.stage, n.merging.awaited = c.merge, 7
			n.scrubbed(Done{ID: c.answer, Err: failure})
			n.mergeAnswered(Done{ID: c.answer, Err: failure})
			if n.scrub.stage != c.scrub || n.scrub.stats.Streak != 0 || n.scrub.at != 0 {
				t.Errorf("%s, an answer with error %q: the scrub is in stage %d, %d calls failed", c.what, failure, n.scrub.stage, n.scrub.stats.Streak)
			}
			if n.merging.stage != c.merge || n.merging.attempts != 0 {
				t.Errorf("%s, an answer with error %q: the merge is in stage %d after %d failures", c.what, failure, n.merging.stage, n.merging.attempts)
			}
			if len(n.Ready()) != 0 {
				t.Errorf("%s, an answer with error %q has effects", c.what, failure)
			}
		}
	}
}

// TestANodeThatLeadsReadsItsDataplaneInsteadOfJudgingStrays: flows that its mirror lacked while it followed. Since then
// packets may have opened them anew, so it neither counts nor deletes what was found.
func TestANodeThatLeadsReadsItsDataplaneInsteadOfJudgingStrays(t *testing.T) {
	for _, sound := range []bool{true, false} {
		n := fullNode(t)
		n.Ready()
		n.role = ha.Master
		n.sync.SetSource(n.now, 1)
		n.judgeStrays(Done{Held: []flow.Held{{Entry: flow.Entry{Original: flow.Tuple{SrcPort: 1}}, Found: true, Sound: sound}}})
		if effects := n.Ready(); len(effects) != 0 || n.sync.Len() != 0 || n.reading.done() {
			t.Errorf("sound %v: effects %v, %d flows in the mirror, nothing to read: %v", sound, effects, n.sync.Len(), n.reading.done())
		}
	}
}

// TestAFailedExaminationIsRepeatedAfterAPause: one that fails for long must not keep the node busy. A read that is due
// later already stays there.
func TestAFailedExaminationIsRepeatedAfterAPause(t *testing.T) {
	for name, take := range map[string]func(*Node, Done){"strays": (*Node).judgeStrays, "doubted entries": (*Node).believe} {
		for _, c := range []struct{ was, want time.Duration }{{0, rereadPause}, {2 * rereadPause, 2 * rereadPause}} {
			n := fullNode(t)
			n.role, n.now = ha.Master, clock.Instant(time.Second)
			n.reading.at = n.now.Add(c.was)
			take(n, Done{Err: "no memory"})
			if got := n.reading.at.Sub(n.now); got != c.want || n.reading.done() {
				t.Errorf("%s: the dataplane is read %v later, nothing to read: %v; want %v later", name, got, n.reading.done(), c.want)
			}
		}
	}
}

// TestOnlyDamageOfDoubtedEntriesIsHealed: an entry that was opened anew is no damage, and neither is one that has ended.
// What the mirror does not have cannot be written back.
func TestOnlyDamageOfDoubtedEntriesIsHealed(t *testing.T) {
	known := flow.Entry{
		Original: flow.Tuple{Src: flow.IPv4(198, 18, 0, 11), Dst: flow.IPv4(198, 18, 0, 100), SrcPort: 1, DstPort: 80, Proto: flow.TCP},
		Reply:    flow.Tuple{Src: flow.IPv4(198, 18, 1, 11), Dst: flow.IPv4(198, 18, 1, 100), SrcPort: 80, DstPort: 1, Proto: flow.TCP},
		State:    flow.Established, Remaining: time.Hour,
	}
	other, unknown := known, known
	other.Original.SrcPort, other.Reply.DstPort = 2, 2
	unknown.Original.SrcPort = 3
	for _, c := range []struct {
		held  []flow.Held
		heals []flow.Tuple // the reply tuples of what is written back
	}{
		{[]flow.Held{{Entry: known, Found: true, Sound: true}}, nil},
		{[]flow.Held{{Entry: known}}, nil},
		{[]flow.Held{{Entry: known, Found: true}}, []flow.Tuple{known.Reply}},
		{[]flow.Held{{Entry: unknown, Found: true}}, nil},
		{[]flow.Held{{Entry: known, Found: true}, {Entry: unknown, Found: true}, {Entry: other, Found: true}}, []flow.Tuple{known.Reply, other.Reply}},
	} {
		n := fullNode(t)
		n.role = ha.Master
		n.sync.SetSource(n.now, 1)
		n.sync.Local(n.now, []flow.Event{{Entry: known}, {Entry: other}})
		n.Ready()
		n.believe(Done{Held: c.held})
		var healed []flow.Tuple
		for _, e := range n.Ready() {
			if h, ok := e.(Heal); ok {
				for _, entry := range h.Entries {
					healed = append(healed, entry.Reply)
				}
			}
		}
		if !slices.Equal(healed, c.heals) {
			t.Errorf("%+v: written back %v, want %v", c.held, healed, c.heals)
		}
		if found := n.scrub.stats.Found[Altered]; found != uint64(len(c.heals)) {
			t.Errorf("%+v: %d damaged entries counted, want %d", c.held, found, len(c.heals))
		}
	}
}
