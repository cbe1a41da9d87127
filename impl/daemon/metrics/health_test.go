package metrics

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"baton/impl/daemon/control"
	"baton/impl/node"
)

func TestHealthAndReadiness(t *testing.T) {
	status := func(role string, shut ...string) Source {
		return func(context.Context) (control.Status, error) {
			s := control.Status{Status: node.Status{Role: role, Epoch: 3}}
			for _, name := range []string{"LinksUp", "DataplaneReady", "Reachable", "Arbitrated", "InSync", "NoMaster", "PeerReady"} {
				s.Gates = append(s.Gates, node.GateStatus{Name: name, Open: !strings.Contains(strings.Join(shut, " "), name), Why: "because"})
			}
			return s, nil
		}
	}
	stuck := func(context.Context) (control.Status, error) {
		return control.Status{}, errors.New("the event loop does not answer")
	}
	for _, tt := range []struct {
		name           string
		source         Source
		healthy, ready bool
		says           string // the answer about readiness
	}{
		{"a MASTER", status("Master", "InSync", "PeerReady"), true, true, "Master epoch 3"},
		{"a BACKUP in sync", status("Backup", "NoMaster", "PeerReady"), true, true, "Backup epoch 3"},
		{"a BACKUP that lacks the table", status("Backup", "InSync"), true, false, "InSync: because"},
		{"a BACKUP without carrier", status("Backup", "LinksUp"), true, false, "LinksUp: because"},
		{"a node in Fault", status("Fault"), true, false, "role Fault"},
		{"a loop that is stuck", stuck, false, false, "does not answer"},
	} {
		for _, about := range []struct {
			what    string
			handler http.Handler
			fine    bool
		}{{"health", Health(tt.source), tt.healthy}, {"readiness", Ready(tt.source), tt.ready}} {
			w := httptest.NewRecorder()
			about.handler.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			if fine := w.Code == 200; fine != about.fine || !fine && w.Code != 503 {
				t.Errorf("%s of %s: %d %s", about.what, tt.name, w.Code, w.Body)
			}
			if about.what == "readiness" && !strings.Contains(w.Body.String(), tt.says) {
				t.Errorf("%s says %q, want %q", tt.name, w.Body, tt.says)
			}
		}
	}
}
