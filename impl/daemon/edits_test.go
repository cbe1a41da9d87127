package daemon

import (
	"errors"
	"maps"
	"testing"

	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
)

// A change of the MASTER is applied once: a later local change stays.
func TestAChangeOfTheMasterIsAppliedOnce(t *testing.T) {
	e := newEdits()
	e.follow("web", []byte("theirs"))
	texts, queued := e.pending()
	e.follow("api", []byte("later"))
	e.replace(editSet{texts: texts, queued: queued})
	e.replace(editSet{texts: map[string]string{"web": "ours"}})
	if got, _ := e.pending(); !maps.Equal(got, map[string]string{"web": "ours", "api": "later"}) {
		t.Errorf("%q", got)
	}
}

// A change that does not apply here is shown neither as made nor as a deletion.
func TestARefusedChangeIsNotShownAsMade(t *testing.T) {
	e := newEdits()
	e.replace(editSet{
		texts:   map[string]string{"web": "theirs", "api": "", "own": "theirs", "old": ""},
		refused: map[string]bool{"web": true, "api": true},
	})
	var s control.Status
	for _, name := range []string{"web", "api", "own"} {
		s.Services = append(s.Services, control.Service{Name: name})
	}
	e.describe(&s, &config.Config{Services: []config.Service{{Name: "web"}, {Name: "api"}, {Name: "old"}}})
	if !serves("web= api= own+= -old")(s) {
		t.Errorf("%+v, deleted %q", s.Services, s.Deleted)
	}
}

// A service that takes the address of another is tried again after that other has left it, and then counts as
// accepted. So does one that accept refuses at first.
func TestChangesAreMadeInAnOrderThatApplies(t *testing.T) {
	file := newPair(t).nodes[0].Config // web at port 80
	moved := file.Services[0]
	moved.Port = config.Ports{First: 90}
	taking := file.Services[0]
	taking.Name = "api" // sorted before web
	texts := map[string]string{}
	for _, s := range []config.Service{moved, taking} {
		c := *file
		c.Services = []config.Service{s}
		text, err := c.Text(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		texts[s.Name] = text
	}
	at := func(c *config.Config) map[string]uint16 {
		ports := map[string]uint16{}
		for _, s := range c.Services {
			ports[s.Name] = s.Port.First
		}
		return ports
	}
	both := map[string]uint16{"web": 90, "api": 80}
	next, refused := withEdits(file, texts, func(*config.Config) error { return nil })
	if got := at(next); !maps.Equal(got, both) || len(refused) > 0 {
		t.Errorf("the services are at %v, want %v; refused %v", got, both, refused)
	}
	no := errors.New("not with api")
	next, refused = withEdits(file, texts, func(c *config.Config) error {
		if _, with := at(c)["api"]; with {
			return no
		}
		return nil
	})
	if got := at(next); !maps.Equal(got, map[string]uint16{"web": 90}) || len(refused) != 1 || refused["api"] != no {
		t.Errorf("the services are at %v, refused %v, want api refused", got, refused)
	}
}
