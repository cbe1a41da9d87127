package bpf

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// TestRefusedFlowsAreCountedByService: by reason. The counts survive a change of the services, and
// restart at zero after a service was removed.
func TestRefusedFlowsAreCountedByService(t *testing.T) {
	eachSubject(t, testConfig(), func(t *testing.T, s subject) {
		services := testConfig().Services
		of := func(proto flow.Proto, port uint16) flow.Service {
			return flow.Service{VIP: address(vipAddr), Port: port, Proto: proto}
		}
		set := func(list []dataplane.Service) {
			t.Helper()
			if err := s.SetServices(list, testConfig().VIPs); err != nil {
				t.Fatal(err)
			}
		}
		want := map[flow.Service]dataplane.Refusals{}
		for _, service := range services {
			want[service.Service] = dataplane.Refusals{}
		}
		s.reset()
		if err := s.Lease(clock.Never); err != nil {
			t.Fatal(err)
		}
		for i := range uint16(6) { // there are four ports, and room for eight entries
			s.packet("client0", fromClient(toVIP(flow.UDP, 41000+i, fullnatPort), 0))
			s.packet("client0", fromClient(toVIP(flow.TCP, 41000+i, dnatPort), syn))
		}
		s.packet("client0", fromClient(toVIP(flow.TCP, 41000, emptyPort), syn))
		s.packet("client0", fromClient(toVIP(flow.UDP, 41000, widePort+1), 0))
		s.packet("client0", fromClient(toVIP(flow.TCP, 41000, maglevPort), ack)) // a miss is not refused
		want[of(flow.UDP, fullnatPort)] = dataplane.Refusals{NoPort: 2}
		want[of(flow.TCP, dnatPort)] = dataplane.Refusals{TableFull: 2}
		want[of(flow.TCP, emptyPort)] = dataplane.Refusals{NoBackend: 1}
		want[mappedService(dataplane.Limits{}).Service] = dataplane.Refusals{TableFull: 1} // a range
		if diff := cmp.Diff(want, refused(t, s)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		set(services[1:])
		set(services)
		if diff := cmp.Diff(want, refused(t, s)); diff != "" {
			t.Errorf("after a change of other services (-want +got):\n%s", diff)
		}
		set(nil)
		set(services)
		if got := refused(t, s)[of(flow.UDP, fullnatPort)]; got != (dataplane.Refusals{}) {
			t.Errorf("a service that is new has %+v", got)
		}
	})
}
