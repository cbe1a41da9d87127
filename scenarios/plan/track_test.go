package plan

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTrackedHosts(t *testing.T) {
	p := mustParse(t, `scenario x
topo pair clients=1 backends=2
config lb1 track.targets=backends
config lb2 track.targets=client1 track.every=50ms track.misses=9
service web tcp 198.18.0.100:80
@1s end
`)
	for node, want := range map[string][]string{"lb1": {"backend1", "backend2"}, "lb2": {"client1"}} {
		if got := p.Targets(Sim, node); !slices.Equal(got, want) {
			t.Errorf("%s tracks %v, want %v", node, got, want)
		}
	}
	if got := p.Track(Sim); got != 500*time.Millisecond {
		t.Errorf("a host is lost within %v, want 10 probes of 50ms", got)
	}
	if got := mustParse(t, "scenario x\nservice web tcp 198.18.0.100:80\n@1s end\n").Targets(Sim, "lb1"); got != nil {
		t.Errorf("tracks %v without being told to", got)
	}
}

func TestHostsThatCannotBeTracked(t *testing.T) {
	for value, want := range map[string]string{
		"client2":   `x.scn:3:22: no host "client2": the topology has clients=1`,
		"backend0":  `x.scn:3:22: track.targets: "backend0" is not none, backends, clients, or one of their hosts`,
		"backend01": `"backend01" is not none`,
		"lb2":       `"lb2" is not none`,
		"nobody":    `"nobody" is not none`,
	} {
		_, err := Parse("x.scn", []byte("scenario x\ntopo pair clients=1\nconfig track.targets="+value+"\n@1s end\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", value, err, want)
		}
	}
}
