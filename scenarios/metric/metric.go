// Package metric is the table of the metrics of a run. A row has what the language, lint, the
// checks, the reports and the comparison of runs need to know about a metric.
//
// The package measures nothing. Package check has a measure for every row.
package metric

import (
	"slices"
	"strings"

	"baton/scenarios/fault"
)

// Unit is the unit of a metric.
type Unit uint8

const (
	Count        Unit = iota // a number without a unit
	Milliseconds             // compares with a duration, or with a number of milliseconds
	Duration                 // compares with a duration only
)

// Kinds of traffic.
const (
	Sessions = "sessions" // long-lived connections that echo numbered, checksummed messages
	Connects = "connects" // short connections at a rate: connect, one echo, close; for UDP one query, one answer
	Probe    = "probe"    // one UDP flow that sends echo requests at a rate
	Flows    = "flows"    // many idle flows, to fill the table
	Bulk     = "bulk"     // TCP transfers of many bytes, one after the other, each with a checksum
)

// Kinds lists the kinds of traffic.
func Kinds() []string { return []string{Sessions, Connects, Probe, Flows, Bulk} }

// Metric is a value that a condition can compare.
type Metric struct {
	Name  string
	Also  []string // names in other tools; an error message suggests Name for them
	Unit  Unit
	Check string // the name under which package check judges it, for control lines
	// PerLine says that a condition can limit it to one line of traffic: lost(web).
	PerLine bool
	// PerProgram says that a condition can limit it to one program: exit(fetch).
	PerProgram bool
	// Of lists the kinds of traffic that it is measured for, empty if it needs no traffic. A
	// scenario without such traffic cannot claim it.
	Of []string
	// Grows says that the value never falls within a window.
	Grows bool
	// Now says that it has a value at every instant, so that a wait can use it.
	Now bool
	// Whole says that it is measured only over the whole time of a line of traffic.
	Whole bool
	// After lists the faults after which it can be measured, empty if it needs none.
	After []string
	Doc   string

	// Title is its name in tables, "" for Name with spaces.
	Title string
	// Rank is the number of its column in a table of runs, 0 for none. Summary says that the
	// short table of a pull request has it too.
	Rank    int
	Summary bool
	// Least is the smallest change that a comparison of runs reports, in the metric's
	// unit. Smaller changes come from the clock and the interval of the probes. A metric
	// with 0 is not compared, because it does not say how well a failover went.
	Least float64
}

// The smallest changes that a comparison reports: a millisecond, or one event in two runs.
const (
	leastTime  = 1
	leastCount = 0.5
)

var (
	// losses are the faults by which a MASTER loses its role without a handover.
	losses = fault.Meant(func(v fault.Verb) bool { return v.Takes })
	// resyncs are the faults after which connection sync starts again.
	resyncs = fault.Meant(func(v fault.Verb) bool { return v.Resyncs })
	// droppers are the faults that may drop packets on links.
	droppers = fault.Meant(func(v fault.Verb) bool { return v.On == fault.Wires && v.Undo == fault.Heal })
	// echoing are the kinds of traffic that get an echo for each message.
	echoing = []string{Sessions, Connects, Probe}
)

// metrics is in the order of the reference manual.
var metrics = []Metric{
	{Name: "masters", Also: []string{"splitbrain", "split-brain", "split_brain", "dual_master", "dual_active"}, Now: true, Check: "masters", Doc: "nodes that have the Master role at one time"},
	{Name: "forwarders", Now: true, Check: "forwarders", Doc: "nodes that forward at one time: their lease allows it, or frames on the wire show it"},
	{Name: "rst", Also: []string{"resets", "tcp_resets", "connection_resets"}, Now: true, Check: "rst", Of: Kinds(), Grows: true, Title: "RST", Rank: 6, Summary: true, Least: leastCount,
		Doc: "TCP segments with RST, and ABORTs of SCTP, on the links of clients and backends; a forwarded one counts on both. A RST after both ends have acknowledged the other's FIN, and an ABORT after a SHUTDOWN ACK, is only noted, and so is a RST by which a client answers a challenge (`limits.syn_challenge`)"},
	{Name: "lost", Also: []string{"broken", "sessions_lost", "lost_sessions"}, Now: true, Check: "lost", PerLine: true, Of: []string{Sessions, Flows}, Grows: true, Rank: 7, Summary: true, Least: leastCount,
		Doc: "established sessions that failed before their end, and idle flows of the sample that were reset or had no answer at the end. The simulator closes every idle TCP flow at the end, and counts all that fail"},
	{Name: "corrupt", Now: true, Check: "corrupt", PerLine: true, Of: Kinds(), Grows: true, Least: leastCount,
		Doc: "echoes with wrong bytes, sequence or checksum, and transfers with wrong bytes"},
	{Name: "incomplete", Now: true, Check: "incomplete", PerLine: true, Of: []string{Bulk}, Grows: true, Least: leastCount,
		Doc: "transfers of bulk traffic that were refused, reset, cut short or made no progress for 10s"},
	{Name: "moved", Now: true, Check: "sticky", PerLine: true, Of: []string{Sessions, Connects, Probe, Flows}, Grows: true, Least: leastCount,
		Doc: "sessions, probes and idle flows that another backend answered than before. Of a service with affinity also connects that another backend answered than the client's last connection"},
	{Name: "connects_failed", Also: []string{"refused", "failed", "errors", "timeouts"}, Now: true, Check: "connects_failed", PerLine: true, Of: []string{Connects}, Grows: true, Least: leastCount,
		Doc: "connections that were refused, reset or timed out, and queries that had no answer"},
	{Name: "unanswered", Check: "unanswered", PerLine: true, Of: []string{Sessions, Flows}, Grows: true, Least: leastCount,
		Doc: "sessions that were never established, and idle flows that never had an answer; counted at the end"},
	{Name: "unechoed", Also: []string{"packets_lost", "packet_loss", "loss"}, Check: "unechoed", PerLine: true, Of: []string{Probe}, Grows: true, Whole: true, Least: leastCount,
		Doc: "datagrams of a UDP probe that had no echo; counted at the end. Claim it with `always`"},
	{Name: "sessions", Now: true, Check: "sessions", PerLine: true, Of: []string{Sessions}, Doc: "sessions that are open"},
	{Name: "verified", Now: true, Check: "verified", PerLine: true, Of: []string{Flows},
		Doc: "idle flows of the sample that answered their last request"},
	{Name: "gap", Also: []string{"outage", "downtime", "interruption"}, Now: true, Unit: Duration, Check: "gap", PerLine: true, Of: echoing, Grows: true,
		Doc: "the longest time in which one flow got no answer to the messages that were due"},
	{Name: "gap_udp_max_ms", Unit: Milliseconds, Check: "gap", Of: []string{Probe}, Grows: true,
		Title: "udp gap", Rank: 4, Summary: true, Least: leastTime, Doc: "the longest gap of a UDP probe"},
	{Name: "gap_tcp_p50_ms", Unit: Milliseconds, Check: "gap", Of: []string{Sessions}, Grows: true,
		Title: "tcp stall p50", Rank: 5, Summary: true, Least: leastTime, Doc: "median over the sessions of each one's longest stall"},
	{Name: "gap_tcp_p99_ms", Unit: Milliseconds, Check: "gap", Of: []string{Sessions}, Grows: true, Least: leastTime,
		Doc: "99th percentile of the same"},
	{Name: "gap_tcp_max_ms", Unit: Milliseconds, Check: "gap", Of: []string{Sessions}, Grows: true, Least: leastTime,
		Doc: "maximum of the same"},
	{Name: "rtt_p50_ms", Also: []string{"rtt", "latency"}, Unit: Milliseconds, Check: "rtt", PerLine: true, Of: Kinds(), Whole: true, Least: leastTime,
		Doc: "median round trip of the answered messages of one line, from the instant at which each was due; without a line, of the slowest line. Of bulk traffic: the duration of a transfer"},
	{Name: "rtt_p99_ms", Unit: Milliseconds, Check: "rtt", PerLine: true, Of: Kinds(), Whole: true, Least: leastTime,
		Doc: "99th percentile of the same"},
	{Name: "rtt_max_ms", Unit: Milliseconds, Check: "rtt", PerLine: true, Of: Kinds(), Whole: true, Least: leastTime,
		Doc: "maximum of the same"},
	{Name: "detect_ms", Also: []string{"detection", "detection_time"}, Unit: Milliseconds, Check: "detect", After: losses, Grows: true, Rank: 1, Least: leastTime,
		Doc: "from the loss of a Master until the survivor has declared the last path Down"},
	{Name: "takeover_ms", Also: []string{"failover", "failover_ms", "failover_time", "convergence"}, Unit: Milliseconds, Check: "takeover", After: losses, Grows: true, Rank: 2, Summary: true, Least: leastTime,
		Doc: "from the loss of a Master to the survivor's Master role"},
	{Name: "handover_ms", Unit: Milliseconds, Check: "handover", Grows: true, Rank: 3, Summary: true, Least: leastTime,
		Doc: "from the instant at which the Master begins to hand over to the peer's Master role"},
	{Name: "unready_ms", Unit: Milliseconds, Check: "takeover", Of: []string{Sessions}, After: losses, Grows: true, Title: "announced unready", Least: leastTime,
		Doc: "from the survivor's first announcement of a VIP until the median interrupted session has an answer again"},
	{Name: "dual_ms", Unit: Milliseconds, Check: "forwarders", Grows: true, Title: "two forwarders", Least: leastTime,
		Doc: "how long a node still forwards packets of a VIP after another node has begun to, as seen on the wire"},
	{Name: "restore_gap_ms", Unit: Milliseconds, Check: "gap", Of: []string{Probe}, After: []string{fault.Restore}, Grows: true, Title: "restore gap", Least: leastTime,
		Doc: "the longest gap of a UDP probe from the first restore on"},
	{Name: "sync_ms", Unit: Milliseconds, Check: "sync", After: resyncs, Grows: true, Rank: 8, Least: leastTime,
		Doc: "from the sync stream's begin to insync, after a restore or heal"},
	{Name: "sync_entries", Now: true, Check: "sync", After: resyncs,
		Doc: "entries of the replica at that moment"},
	{Name: "dropped", Now: true, Check: "dropped", Grows: true, After: droppers,
		Doc: "packets that the scenario's faults dropped on links; counted when a fault is healed, and at the end"},
	{Name: "strays", Now: true, Check: "strays", Grows: true,
		Doc: "packets that no fault dropped: the machine that runs the lab was too busy; counted at the end"},
	{Name: "exit", Check: "exit", PerProgram: true, Whole: true, After: []string{fault.Run},
		Doc: "exit status of the program `exit(NAME)` that the scenario runs, or of each program. 128 plus the signal's number if a signal ended it, also at the end of its time"},
	{Name: "role_changes", Now: true, Check: "role_changes", Grows: true, Doc: "how often a node became Master"},
}

// All returns a copy of the table.
func All() []Metric { return slices.Clone(metrics) }

// Of returns the metric of that name.
func Of(name string) (Metric, bool) {
	i := slices.IndexFunc(metrics, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return Metric{}, false
	}
	return metrics[i], true
}

// Called returns the metric that other tools call name, "" if there is none.
func Called(name string) string {
	i := slices.IndexFunc(metrics, func(m Metric) bool { return slices.Contains(m.Also, strings.ToLower(name)) })
	if i < 0 {
		return ""
	}
	return metrics[i].Name
}

// Names returns the names of all metrics.
func Names() []string {
	names := make([]string, len(metrics))
	for i, m := range metrics {
		names[i] = m.Name
	}
	return names
}

// Chosen returns the metrics for which is returns true.
func Chosen(is func(Metric) bool) []Metric {
	return slices.DeleteFunc(All(), func(m Metric) bool { return !is(m) })
}

// Columns returns the metrics of a table of runs, in the order of the columns.
func Columns() []Metric {
	columns := Chosen(func(m Metric) bool { return m.Rank > 0 })
	slices.SortFunc(columns, func(a, b Metric) int { return a.Rank - b.Rank })
	return columns
}

// Heading returns the metric's name in tables: udp gap.
func (m Metric) Heading() string {
	if m.Title != "" {
		return m.Title
	}
	return strings.ReplaceAll(strings.TrimSuffix(m.Name, "_ms"), "_", " ")
}

// Column returns the heading with the unit, if it has one.
func (m Metric) Column() string {
	if m.Unit == Count {
		return m.Heading()
	}
	return m.Heading() + " ms"
}
