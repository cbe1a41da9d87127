// Package notify reports the process's state to the service manager (sd_notify(3)), if the
// environment names one. It is safe for concurrent use. Each method writes one datagram and
// must not be called on the loop.
package notify

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// Manager is the service manager.
type Manager struct {
	log    *slog.Logger
	failed sync.Once // log the first failure only
}

// New returns the manager of this process.
func New(log *slog.Logger) *Manager { return &Manager{log: log} }

// Ready reports that the process is ready, also after Reloading.
func (m *Manager) Ready() { m.tell(daemon.SdNotifyReady) }

// Reloading reports the beginning of a reload; Ready ends it.
func (m *Manager) Reloading() {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // fails only for unknown clocks
	m.tell(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/1000))
}

// Stopping reports that the process is about to end.
func (m *Manager) Stopping() { m.tell(daemon.SdNotifyStopping) }

// Alive reports that the process is not stuck.
func (m *Manager) Alive() { m.tell(daemon.SdNotifyWatchdog) }

// AliveEvery is the interval for Alive, half of the manager's watchdog timeout; 0 without a
// watchdog.
func (m *Manager) AliveEvery() time.Duration {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		m.log.Warn("service manager's watchdog not served", "error", err)
	}
	return limit / 2
}

func (m *Manager) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		m.failed.Do(func() {
			m.log.Warn("service manager not notified of the node's state", "state", state, "error", err)
		})
	}
}
