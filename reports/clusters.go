package reports

import (
	"fmt"
	"strings"

	"baton/impl/trace"
	"baton/reports/load"
	"baton/reports/page"
	"baton/reports/timeline"
	"baton/scenarios/evidence"
)

// clustersShown is how many clusters of damage a page shows. A run keeps evidence of the same number.
const clustersShown = 4

// harms are the kinds of damage, in singular and plural.
var harms = []struct {
	one, many string
	is        func(trace.Event) bool
}{
	{"RST", "RSTs", func(e trace.Event) bool { return e.RST != nil }},
	{"session lost", "sessions lost", harmed(trace.TrafficLost)},
	{"session garbled", "sessions garbled", harmed(trace.TrafficCorrupt)},
	{"session moved", "sessions moved", harmed(trace.TrafficMoved)},
}

func harmed(event string) func(trace.Event) bool {
	return func(e trace.Event) bool { return e.Traffic != nil && e.Traffic.Event == event }
}

// largestDamage returns the largest clusters of damage of a run.
func largestDamage(run *load.Run) []evidence.Cluster {
	clusters := evidence.Clusters(run.Events, evidence.IsDamage)
	return clusters[:min(len(clusters), clustersShown)]
}

// clusters describes each cluster in a line.
func clusters(run *load.Run, damage []evidence.Cluster) []page.Cluster {
	a := answering{start: timeline.Start(run.Events), events: run.Events}
	var list []page.Cluster
	for _, c := range damage {
		var said []string
		for _, harm := range harms {
			n := 0
			for _, e := range run.Events {
				if e.At >= c.From && e.At <= c.To && harm.is(e) {
					n++
				}
			}
			switch n {
			case 0:
			case 1:
				said = append(said, "1 "+harm.one)
			default:
				said = append(said, fmt.Sprintf("%d %s", n, harm.many))
			}
		}
		list = append(list, page.Cluster{What: strings.Join(said, ", ") + a.after(c.From),
			From: timeline.At(c.From.Sub(a.start).Microseconds()), To: timeline.At(c.To.Sub(a.start).Microseconds())})
	}
	return list
}
