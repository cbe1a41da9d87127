package record

import (
	"context"
	"log/slog"
	"time"

	"baton/impl/trace"
)

// logEvent logs an event. Lease renewals and the single frames of a GARP burst are at
// Debug; what an operator needs after an incident is at Info or above. A repeated note is
// logged once in a while; the trace has them all.
func (r *Recorder) logEvent(e *trace.Event) {
	log := r.log
	switch e.Kind {
	case trace.KindRole:
		logRole(log, e.Role)
	case trace.KindGate:
		state := "closed"
		if e.Gate.Open {
			state = "open"
		}
		log.Info("gate "+state, "gate", e.Gate.Name, "why", e.Gate.Why)
	case trace.KindBFD:
		logBFD(log, e.BFD)
	case trace.KindSync:
		logSync(log, e.Sync)
	case trace.KindLease:
		log.LogAttrs(context.Background(), slog.LevelDebug, "lease", slog.Int64("until", int64(e.Lease.Until)))
	case trace.KindAnnounce:
		log.Debug("announce", "count", e.Announce.Count)
	case trace.KindReplica:
		log.Debug("table", "entries", e.Replica.Entries, "digest", e.Replica.Digest)
	case trace.KindNote:
		if r.lines.News(e.Note, time.Now()) {
			log.Info("note", "note", e.Note)
		}
	}
}

func logRole(log *slog.Logger, r *trace.Role) {
	attrs := []any{"from", r.From, "to", r.To, "reason", r.Reason, "epoch", r.Epoch, "open", r.Gates, "closed", r.Closed}
	switch {
	case r.Refused != "":
		log.Warn("role change refused", append(attrs, "gate", r.Refused)...)
	case r.Degraded:
		log.Warn("role change", append(attrs, "degraded", true)...)
	default:
		log.Info("role change", attrs...)
	}
}

func logBFD(log *slog.Logger, b *trace.BFD) {
	level := slog.LevelInfo
	if b.From == "Up" {
		level = slog.LevelWarn
	}
	log.Log(context.Background(), level, "bfd session", "path", b.Path, "from", b.From, "to", b.To, "diag", b.Diag, "detect", time.Duration(b.Detect))
}

func logSync(log *slog.Logger, s *trace.Sync) {
	attrs := []any{"phase", s.Phase, "entries", s.Entries, "percent", s.Percent, "lag", s.Lag}
	for _, a := range []struct {
		key string
		set bool
		is  any
	}{
		{"total", s.Total > 0, s.Total}, {"rate", s.Rate > 0, s.Rate}, {"took", s.Took > 0, time.Duration(s.Took)},
		{"digest", s.Digest != "", s.Digest}, {"why", s.Why != "", s.Why},
	} {
		if a.set {
			attrs = append(attrs, a.key, a.is)
		}
	}
	log.Info("sync", attrs...)
}
