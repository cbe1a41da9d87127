package ha

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files")

const golden = "../../docs/roles.md"

func TestTableIsTheGoldenOne(t *testing.T) {
	var b bytes.Buffer
	if err := Render(&b); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("the transition table differs from %s; if that is meant, run go test ./impl/ha -update\n%s", golden, b.String())
	}
}

// everyTransition calls f with the outcome of every role, event and set of gates.
func everyTransition(f func(from Role, event Event, gates Gates, to Role, actions []Action, why Reason)) {
	for _, role := range Roles() {
		for _, event := range Events() {
			for gates := Gates(0); gates <= AllGates; gates++ {
				to, actions, why := Next(role, event, gates)
				f(role, event, gates, to, actions, why)
			}
		}
	}
}

func TestNextIsTotal(t *testing.T) {
	everyTransition(func(from Role, event Event, gates Gates, to Role, actions []Action, why Reason) {
		if !to.Valid() || why.Text == "" {
			t.Fatalf("%s, %s, %s: becomes %s because %q", from, event, gates, to, why.Text)
		}
		if to == from && len(actions) == 0 && why.Degraded {
			t.Fatalf("%s, %s, %s: degraded without a claim", from, event, gates)
		}
	})
}

func TestBackupClaimsExactlyThroughTheGates(t *testing.T) {
	everyTransition(func(from Role, event Event, gates Gates, to Role, _ []Action, why Reason) {
		if from != Backup || event != GatesChanged {
			return
		}
		may := gates.Has(LinksUp|DataplaneReady|Reachable|Arbitrated) &&
			(gates.Has(Granted) || gates.Has(NoMaster|HoldDown) && (gates.Has(InSync) || gates.Has(Degraded)))
		if claims := to == Claiming; claims != may {
			t.Errorf("gates %s: claims %v, want %v", gates, claims, may)
		}
		if to == Backup && why.Refused == 0 {
			t.Errorf("gates %s: refused without naming a gate", gates)
		}
		if to == Backup && gates.Has(why.Refused) {
			t.Errorf("gates %s: refused by %s, which is open", gates, why.Refused)
		}
		if why.Degraded && gates.Has(InSync) {
			t.Errorf("gates %s: calls itself degraded although in sync", gates)
		}
	})
}

// A refusal is traced, and an operator reads it as the answer to a claim or to a handover.
func TestOnlyAClaimAndAHandoverAreRefused(t *testing.T) {
	everyTransition(func(from Role, event Event, gates Gates, to Role, actions []Action, why Reason) {
		asks := from == Backup && event == GatesChanged || from == Master && event == HandoverAsked
		if refused := why.Refused != 0; refused != (asks && to == from) {
			t.Errorf("%s → %s on %s with %s: refused %v (%s)", from, to, event, gates, refused, why)
		}
	})
}

// Numbers that are no role and no event, as the last of each plus one, change nothing.
func TestWhatIsNoRoleAndNoEventChangesNothing(t *testing.T) {
	for _, in := range []struct {
		role  Role
		event Event
	}{{roles, GatesChanged}, {Backup, events}, {roles, events}} {
		if to, actions, why := Next(in.role, in.event, AllGates); to != in.role || actions != nil || why.Refused != 0 {
			t.Errorf("%v on %v becomes %v, does %v, because %v", in.role, in.event, to, actions, why)
		}
	}
	for text, want := range map[string]string{roles.String(): "Role(6)", events.String(): "Event(13)", actions.String(): "Action(12)"} {
		if text != want {
			t.Errorf("%q, want %q", text, want)
		}
	}
}

// While a node holds the role, its peer may not claim: from the beginning of the claim to the grant.
func TestTheRoleIsHeldFromTheClaimToTheGrant(t *testing.T) {
	for _, role := range Roles() {
		if want := role == Claiming || role == Master || role == Yielding; role.Holds() != want {
			t.Errorf("%s holds the role: %v, want %v", role, role.Holds(), want)
		}
	}
}

func TestOnlyAHeldLeaseMakesAMaster(t *testing.T) {
	everyTransition(func(from Role, event Event, gates Gates, to Role, _ []Action, _ Reason) {
		if to == Master && from != Master && (from != Claiming || event != LeaseHeld) {
			t.Errorf("%s became Master on %s with %s", from, event, gates)
		}
	})
}

// A node that gives its role to nobody has nobody to relay to.
func TestOnlyAHandoverRelays(t *testing.T) {
	everyTransition(func(from Role, event Event, gates Gates, to Role, actions []Action, _ Reason) {
		if relays, yields := slices.Contains(actions, Relay), from != Yielding && to == Yielding; relays != yields {
			t.Errorf("%s → %s on %s with %s: actions are %v", from, to, event, gates, actions)
		}
	})
}

func TestDemotionForbidsForwardingFirst(t *testing.T) {
	everyTransition(func(from Role, event Event, gates Gates, to Role, actions []Action, _ Reason) {
		forwards := from == Master || from == Claiming
		if !forwards || to == Master || to == Claiming {
			return
		}
		if to == Yielding && len(actions) > 0 && actions[0] == Relay {
			actions = actions[1:] // it takes hold with the end of the lease
		}
		if len(actions) == 0 || actions[0] != Release {
			t.Errorf("%s → %s on %s with %s: first action of %v is not Release", from, to, event, gates, actions)
		}
		if !slices.Contains(actions, Tell) {
			t.Errorf("%s → %s on %s with %s: the peer is not told", from, to, event, gates)
		}
	})
}

func TestPromotionOrder(t *testing.T) {
	var order []Action
	role := Backup
	for _, event := range []Event{GatesChanged, Installed, LeaseHeld} {
		var actions []Action
		role, actions, _ = Next(role, event, AllGates)
		order = append(order, actions...)
	}
	if role != Master {
		t.Fatalf("role %s, want Master", role)
	}
	want := []Action{Install, RaiseEpoch, TakeLease, Announce}
	var at int
	for _, action := range order {
		if at < len(want) && action == want[at] {
			at++
		}
	}
	if at != len(want) {
		t.Errorf("actions %v do not hold %v in that order", order, want)
	}
	if i, j := slices.Index(order, Announce), slices.Index(order, TakeLease); i < j {
		t.Errorf("announces before it forwards: %v", order)
	}
}

// TestOneFaultIsOneFlap: the recovery delay is started once on the way through Fault
// and back, by whatever role the node came from, and it is started as the node
// recovers. Twice would count as two flaps and quadruple the next delay.
func TestOneFaultIsOneFlap(t *testing.T) {
	everyTransition(func(from Role, event Event, gates Gates, to Role, actions []Action, _ Reason) {
		restarts := slices.Contains(actions, RestartHold)
		if from != Fault && to == Fault && restarts {
			t.Errorf("%s → Fault on %s with %s starts the recovery delay, as the recovery will", from, event, gates)
		}
		if from == Fault && to != Fault && !restarts {
			t.Errorf("Fault → %s on %s with %s does not start the recovery delay", to, event, gates)
		}
	})
}

func TestALiveMasterLeavesOnlyForAReasonOfItsOwn(t *testing.T) {
	everyTransition(func(from Role, event Event, gates Gates, to Role, _ []Action, why Reason) {
		if from == Master && event == HandoverAsked && !gates.Has(PeerReady) {
			if to != Master || why.Refused != PeerReady {
				t.Errorf("gates %s: handed over to a peer that is not ready (%s)", gates, why)
			}
		}
	})
}

func TestNoRoleIsADeadEnd(t *testing.T) {
	reach := map[Role]map[Role]bool{}
	everyTransition(func(from Role, _ Event, _ Gates, to Role, _ []Action, _ Reason) {
		if reach[from] == nil {
			reach[from] = map[Role]bool{}
		}
		reach[from][to] = true
	})
	for _, start := range Roles() {
		seen, todo := map[Role]bool{start: true}, []Role{start}
		for len(todo) > 0 {
			role := todo[0]
			todo = todo[1:]
			for to := range reach[role] {
				if !seen[to] {
					seen[to], todo = true, append(todo, to)
				}
			}
		}
		if !seen[Master] {
			t.Errorf("Master cannot be reached from %s", start)
		}
	}
}
