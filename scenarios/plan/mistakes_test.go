package plan

import (
	"strings"
	"testing"
)

// The messages translate the habits of other programs: their units, their comparisons, their arrows, a duration
// without for. They say what to write; a suggestion is made only if it is valid itself.
func TestMistakesOfOtherProgramsAreTranslated(t *testing.T) {
	for _, test := range []struct{ line, says, meant string }{
		{"@2s limit lb2->clients rate=10Mbps", `:29: rate: "10Mbps" is not a rate such as 10mbit or 30/s`, "10mbit"},
		{"@2s limit lb2->clients rate=1.5Gbit/s", `rate: "1.5Gbit/s" is not a rate such as 10mbit or 30/s`, "1.5gbit"},
		{"@2s limit lb2->clients rate=512kb/s", `rate: "512kb/s" is not a rate such as 10mbit or 30/s`, "512kbit"},
		{"@2s limit lb2->clients rate=10MB/s", `rate: "10MB/s" is not a rate such as 10mbit or 30/s`, ""},
		{"@2s limit lb2->clients rate=100pps", `rate: "100pps" is not a rate such as 10mbit or 30/s`, "100/s"},
		{"@2s limit lb2->clients rate=10", `rate: "10" is not a rate such as 10mbit or 30/s`, "10mbit"},
		{"@2s limit lb2->clients rate=fast", `rate: "fast" is not a rate such as 10mbit or 30/s`, ""},
		{"traffic p probe udp rate=2kpps", `rate: "2kpps" is not a rate such as 100/s`, "2k/s"},
		{"traffic p probe udp rate=2Mbps", `rate: "2Mbps" is not a rate such as 100/s`, ""},
		{"traffic b bulk tcp rate=10Mbps", `rate: "10Mbps" is not a rate such as 10mbit`, "10mbit"},
		{"traffic b bulk tcp rate=10pps", `rate: "10pps" is not a rate such as 10mbit`, ""},
		{"@2s lose 5 lb1<->lb2", "lose: 5 is not a share from 0 to 1", "5%"},
		{"@2s lose 500% lb1<->lb2", "lose: 500% is not a share from 0 to 1", ""},
		{"@2s starve lb2 cpu=50", "cpu: 50 is not a share from 0 to 1", "50%"},
		{"@2s freeze lb2 1500ms", `unexpected "1500ms"`, "for 1500ms"},
		{"@2s handover lb2 1500ms", `unexpected "1500ms"`, ""},
		{"@2s crash lb2 3", `unexpected "3"`, ""},
		{"always masters =< 1", `unknown comparison "=<"`, "<="},
		{"always masters => 1", `unknown comparison "=>"`, ">="},
		{"@2s expect lb2 == Master", "lb2 is a node, not a metric; the form is: lb2 is Master", ""},

		{"@2s lose bfd 50% lb1->lb2", ":14: the share comes first; the form is: lose SHARE [PACKETS] sync", "lose 50% bfd lb1->lb2"},
		{"@2s lose sync 5% for 1s", ":15: the share comes first", "lose 5% sync for 1s"},
		{"@2s delay lb1<->lb2 50ms", "the duration comes first", "delay 50ms lb1<->lb2"},
		{"@2s lose 5 % sync", ":10: a unit follows its number without a space", "5%"},
		{"@2s lose 5pct sync", `"5pct" is not a share such as 5% or 0.05`, "5%"},
		{"@2s delay 50 ms sync", ":11: a unit follows its number without a space", "50ms"},
		{"@2s cut sync for 2 seconds", ":18: a unit follows its number without a space", "2s"},
		{"config bfd.tx=50 ms", ":15: a unit follows its number without a space", "50ms"},
		{"@2s crash backend 1", ":11: the number of a host follows without a space", "backend1"},

		{"@2s pause lb1", `:5: "pause" is not a step; the form is: freeze HOST... [[every DURATION] for DURATION]`, "freeze"},
		{"pause lb1", `:1: no line begins with "pause"; the form is: freeze HOST...`, "freeze"},
		{"@2s pause 2s", ":5: no line says how long to pause: the time of the next one does, as in @5s crash lb1", ""},
		{"@2s sleep 2s", "no line says how long to pause", ""},
		{"@2s wait 2s", ":10: no line says how long to pause", ""},
		{"@2s wait for lb1 is Master", ":10: a wait takes no for: its conditions follow, as in wait lb1 is Master", ""},
		{"@2s drop bfd", `:5: "drop" is not a step; the form is: cut [PACKETS] sync`, "cut"},
		{"@2s drop 5% bfd", `:5: "drop" is not a step; the form is: lose SHARE [PACKETS] sync`, "lose"},
		{"@2s, crash lb1", `:4: unexpected ","; a step has one time, and its fault or claim follows, as in @5s crash lb1`, ""},
		{"at 2s crash lb1", `:1: no line begins with "at"`, "@2s"},
		{"t=2s crash lb1", `:1: no line begins with "t"`, "@2s"},

		{"@2s cut lb1<-lb2", `:9: unknown arrow "<-"; -> is one direction, <-> is both`, "lb2->lb1"},
		{"@2s cut lb1 => lb2", `:9: unknown arrow "=>"`, "lb1->lb2"},
		{"@2s cut lb1 <=> lb2", `:9: unknown arrow "<=>"`, "lb1<->lb2"},
		{"@2s cut lb1→lb2", `:9: unknown arrow "→"`, "lb1->lb2"},
		{"@2s cut bfd lb1--lb2", `:13: unknown arrow "--"`, "lb1<->lb2"},
		{"randomly between 2s and 3s cut lb1=>lb2", `:32: unknown arrow "=>"`, "lb1->lb2"},
		{"randomly between 2s and 3s pause lb1", `:28: unknown fault "pause"; the form is: freeze HOST...`, "freeze"},
		{"randomly between 2s and 3s crsh lb1", `:28: unknown fault "crsh"`, "crash"},
		{"@2s assert rst == 0", `:5: "assert" is not a step`, "expect"},
		{"never rst > 0", `:1: no line begins with "never": write always with what holds instead, as in always rst == 0`, ""},
		{"@2s expect lb1 is Master after 2s", `:26: unexpected "after"; the form is: expect CONDITION`, ""},
		{"@2s cut sync in 2s", `:17: unexpected "2s"; the form is: cut [PACKETS] sync`, ""},
		{"@2s cut sync 2s", `:14: unexpected "2s"; the form is: cut [PACKETS] sync`, "for 2s"},
		{"@2s tc qdisc add dev eth0 netem loss 5%", `:5: "tc" is not a step: it is wait, expect, end or a fault, crash, kill,`, ""},
		{"@2s ip link set eth0 down", `:5: "ip" is not a step: it is wait`, ""},
		{"always: rst == 0", ":7: always takes no colon", ""},
		{"@2s cut bfd via sync lb1->lb2", ":22: the hosts come before via", ""},
		{"@2s expect lb1 is Master lb2 is Backup", `:26: unexpected "lb2"`, "and lb2"},
		{"always rst <= 0 lost <= 0", `:17: unexpected "lost"`, "and lost"},
		{"@2s expect rst is 0", `unexpected "0"; the form is: expect CONDITION [and CONDITION]... [within DURATION | throughout DURATION]; conditions are such as`, ""},
		{"@2s cut lb1 lb2", ":9: no arrow between lb1 and lb2", "lb1<->lb2"},
		{"@2s cut lb1 to lb2", ":9: no arrow between lb1 and lb2", "lb1->lb2"},
		{"@2s cut lb1 clients", ":9: no arrow between lb1 and clients", "lb1<->clients"},
		{"@2s cut lb1", ":9: lb1 is one end of a path; name both: lb1<->HOST", ""},
		{"@2s cut lb1->lb2 sync", `:18: unexpected "sync"`, "via sync"},
		{"@2s cut lb1->lb2 on sync", `:18: unexpected "on"`, "via"},
		{"@2s cut lb1->lb2 bfd", ":18: the packets come before the hosts", "bfd lb1->lb2"},
		{"@2s cut nodes->clients", `unknown host "nodes": use lb1, lb2, a host such as client1, or clients or backends for all of them`, ""},

		{"@2s freeze lb1 150ms", "the form is: freeze HOST... [[every DURATION] for DURATION]", "for 150ms"},
		{"@2s freeze lb1 for=150ms", ":16: for takes no =", "for 150ms"},
		{"@2s delay 50ms lb1->lb2 via=sync", ":25: via takes no =", "via sync"},
		{"@2s freeze 150ms lb1", `:12: unexpected "150ms"`, "freeze lb1 for 150ms"},
		{"@2s kill lb1 every 2s", "every 2s for how long? Add for DURATION", ""},
		{"@2s kill lb1 until 5s", ":14: a fault takes no until: it lasts for a time from its step on", "for 3s"},
		{"@2s cut sync until 1s", ":14: a fault takes no until", ""},
		{"@2s cut sync during 2s", `:14: unexpected "during"`, "for 2s"},
		{"@2s cut sync for 2s until 5s", ":21: for already says when the fault ends; leave out until", ""},
		{"randomly between 2s and 3s kill lb1 until 4s", "a fault takes no until", ""},
		{"@2s crash lb1 then restore lb1", ":15: a step has one fault; the next one has a line of its own, as in @5s restore lb1", ""},
		{"@2s cut sync; crash lb1", ":13: a step has one fault", ""},
		{"@2s handover lb1 to lb2", `:18: unexpected "to": handover names the node that gives up the role, and its peer takes it; the form is: handover NODE...`, ""},
		{"@2s handover lb1->lb2", `:14: unexpected "lb1->lb2": handover names the node`, ""},
		{"@2s handover lb3", `:14: unknown host "lb3"`, "lb1"},
		{"@2s crash nodes", `:11: unknown host "nodes": a step names each host, as in crash lb1 lb2`, ""},
		{"@2s crash backends", `:11: unknown host "backends": a step names each host, as in crash backend1 backend2`, ""},
		{"@2s freeze client", `:12: unknown host "client": a step names each host, as in freeze client1`, ""},
		{"@2s down lb1 sync", ":5: down on which link? Links are clients, backends, sync; the form is: down HOST via LINK", "lb1 via sync"},
		{"@2s down eth0 on lb1", ":5: down on which link?", ""},
		{"@2s limit sync 10mbit", "; KEY is rate|queue|mtu|oversize", ""},
		{"@2s limit sync rate 10mbit", ":16: rate has no = and value", "rate=10mbit"},

		{"@2s expect lb1 is Master in 2s", `:26: unexpected "in"`, "within"},
		{"@2s expect lb1 is Backup for 2s", `:26: unexpected "for"`, "throughout"},
		{"@2s expect lb1 is Backup until 5s", ":26: a claim takes no until: its window is counted from its step", ""},
		{"@2s expect lb1 insync within 2s throughout 3s", ":33: a claim has one window; write a second expect for the other", ""},
		{"@2s expect lb1 becomes Master within 2s", `:16: unexpected "becomes"`, "is"},
		{"@2s expect lb1 is Master or lb2 is Master", ":26: all conditions of a claim must be true", ""},
		{"@2s expect not lb1 is Master", ":12: not comes behind the node, as in lb1 is not Master", ""},
		{"@2s expect lb1 is Standby", `:19: unknown role or state "Standby"`, "Backup"},
		{"@2s expect lb1 is happy", `:19: unknown role or state "happy": use Init, Backup, Claiming, Master, Yielding, Fault or insync`, ""},
		{"@2s expect state(lb1) == MASTER", ":12: a role is not compared; the form is: lb1 is Master", ""},
		{"@2s expect master == lb1", ":12: a role is not compared", ""},
		{"@2s expect synced", `:12: unknown condition "synced"`, "lb2 insync"},
		{"@2s expect happy", `:12: unknown condition "happy"; conditions are such as lb1 is Master, lb2 insync, rst == 0 or converged`, ""},
		{"@2s expect takeover", `"takeover" needs a comparison, for example takeover_ms < 200ms`, ""},
		{"always resets", `"resets" needs a comparison, for example rst == 0`, ""},
		{"always resets == 0", `:8: unknown metric "resets"`, "rst"},
		{"always failover < 200ms", `:8: unknown metric "failover"`, "takeover_ms"},
		{"always happiness > 0", `:8: unknown metric "happiness"; docs/scenarios.md lists them`, ""},
		{"always no rst", ":8: a condition on rst is a comparison", "rst == 0"},
		{"always never two masters", `unexpected "masters"; the form is: always CONDITION [; CONDITION]...; conditions are such as`, ""},
		{"always lost < 1%", `"1%" is a share; write a number or a time`, ""},

		{"config lb1 priority 200", ":12: priority has no = and value", "ha.priority=200"},
		{"config lb1.priority 200", ":8: lb1.priority has no = and value", "lb1.ha.priority=200"},
		{"config nopreempt", ":8: nopreempt has no = and value", "ha.preempt=never"},
		{"config advert_int=1s", `:8: unknown configuration key "advert_int"`, "bfd.tx"},
		{"config bfd.detect-multiplier=3", `unknown configuration key "bfd.detect-multiplier"`, "bfd.mult"},
		{"config colour=red", `unknown configuration key "colour"; docs/scenarios.md lists them`, ""},
		{"topo pair clients 2", ":11: clients has no = and value", "clients=2"},
		{"traffic w2 sessions count 100", ":21: count has no = and value", "count=100"},
		{"traffic w2 tcp sessions", ":12: the kind comes before the protocol", "sessions tcp"},
		{"chaos lose=5%", `:7: unknown kind of chaos "lose"; loss belongs to a link: write chaos LINK loss=…`, ""},
		{"control no-rst", `:9: unknown check "no-rst"; docs/scenarios.md lists them`, ""},
		{"[sim,netns] always lost == 0", `:1: unknown world "sim,netns" in a guard: use [netns] or [sim]; a line without a guard is for both`, ""},
	} {
		lines := []string{"scenario t", "service  web tcp 198.18.0.100:80", "service  dns udp 198.18.0.100:53", "traffic  web sessions count=10", "@0s wait lb1 is Master within 3s", "@20s end"}
		at := 3
		if strings.HasPrefix(test.line, "@") {
			at = 5
		}
		lines = append(lines[:at], append([]string{test.line}, lines[at:]...)...)
		_, all := Check("t.scn", []byte(strings.Join(lines, "\n")+"\n"))
		found := all.Errors(true)
		if len(found) == 0 || !strings.Contains(found[0].String(), test.says) || found[0].Suggestion != test.meant {
			t.Errorf("%s: %v", test.line, found)
		}
	}
}
