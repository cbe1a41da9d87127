package metrics

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"baton/impl/daemon/control"
	"baton/impl/ha"
)

// healthLimit limits how long a node may take to answer.
const healthLimit = time.Second

// Health answers /healthz: 200 while the node's event loop answers.
func Health(source Source) http.Handler {
	return answer(source, func(control.Status) string { return "" })
}

// needed are the gates that a BACKUP needs to take over at once.
var needed = (ha.LinksUp | ha.DataplaneReady | ha.Reachable | ha.Arbitrated | ha.InSync).Names()

// Ready answers /readyz: 200 while the node serves, or could take over at once: links,
// dataplane and targets are fine, and its table is in sync.
func Ready(source Source) http.Handler {
	return answer(source, func(s control.Status) string {
		if s.Role == ha.Master.String() {
			return ""
		}
		var shut []string
		for _, g := range s.Gates {
			if !g.Open && slices.Contains(needed, g.Name) {
				shut = append(shut, g.Name+": "+g.Why)
			}
		}
		if s.Role != ha.Backup.String() {
			shut = append(shut, "role "+s.Role)
		}
		return strings.Join(shut, "; ")
	})
}

// answer answers with 200, or with 503 and the reason.
func answer(source Source, why func(control.Status) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), healthLimit)
		defer cancel()
		status, err := source(ctx)
		reason := ""
		if err == nil {
			reason = why(status)
		} else {
			reason = err.Error()
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if reason != "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, reason)
			return
		}
		fmt.Fprintf(w, "%s epoch %d\n", status.Role, status.Epoch)
	})
}
