package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestServersListenWhereLinesGo: on each port of a range that a line of traffic goes to, once.
func TestServersListenWhereLinesGo(t *testing.T) {
	p := mustParse(t, `scenario ports
topo     pair clients=1 backends=1
service  media tcp 198.18.0.100:8000-8999
service  idle tcp 198.18.0.101:any
service  web tcp 198.18.0.100:80
traffic  low sessions tcp count=1 service=media
traffic  high sessions tcp count=1 service=media port=8999
traffic  again connects tcp every=20ms service=media port=8999
traffic  pages connects tcp every=20ms service=web
@1s      end
`)
	for i, want := range [][]uint16{{8000, 8999}, {1}, {80}} {
		if diff := cmp.Diff(want, PortsOf(p.Services[i], p.Traffic)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", p.Services[i].Name, diff)
		}
	}
}
