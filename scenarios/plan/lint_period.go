package plan

import (
	"time"

	"baton/scenarios/lab"
)

// storedEvery is how often a node stores the time of an entry's last packet
// (baton/impl/dataplane.SeenEvery). An entry may expire earlier than its timeout by that much.
const storedEvery = time.Second

// periods warns of traffic that uses its flows so rarely that their entries may expire between two
// messages.
func (l *linter) periods() {
	if l.broken["config"] || l.Value(Netns, "", KeySubject) != referenceSubject {
		return
	}
	for _, t := range l.Traffic {
		var every time.Duration
		switch t.Kind {
		case Sessions:
			every = t.Every
		case Flows:
			every = t.SampleEvery()
		default:
			continue
		}
		key := "timeouts.established"
		if t.Proto == UDP {
			key = "timeouts.assured"
		}
		if lives := l.least(t.Guard, key); lives < every+storedEvery {
			l.warn(t.Pos, "", "traffic %q uses each flow every %s, but an entry may expire %s after a packet: %s=%s less %s; write at least %s=%s", t.Name,
				formatDuration(every), formatDuration(lives-storedEvery), key, formatDuration(lives), formatDuration(storedEvery), key, formatDuration(every+storedEvery))
		}
	}
}

// least is the shortest duration of a key over both nodes and the worlds of a guard.
func (l *linter) least(guard Guard, key string) time.Duration {
	least := time.Duration(maxDuration)
	for _, world := range worlds {
		for _, node := range lab.Nodes() {
			if guard.In(world) {
				least = min(least, timed(l.Value(world, node, key)))
			}
		}
	}
	return least
}
