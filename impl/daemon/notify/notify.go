// Package notify tells the service manager that has started the process how it is
// (sd_notify(3)). Without one, as the environment says, it tells nobody. The methods may
// be called from any goroutine; each writes one datagram, so none is called where a
// heartbeat waits.
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
	failed sync.Once // told of
}

// New returns the manager of this process.
func New(log *slog.Logger) *Manager { return &Manager{log: log} }

// Ready says that the process does what it is for, also after Reloading.
func (m *Manager) Ready() { m.tell(daemon.SdNotifyReady) }

// Reloading says that a reload has begun; Ready ends it.
func (m *Manager) Reloading() {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // fails for unknown clocks alone
	m.tell(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/1000))
}

// Stopping says that the process is about to end.
func (m *Manager) Stopping() { m.tell(daemon.SdNotifyStopping) }

// Alive says that the process is not stuck.
func (m *Manager) Alive() { m.tell(daemon.SdNotifyWatchdog) }

// AliveEvery is how often the manager is to hear it, half of what it waits; 0 if it does
// not wait for that.
func (m *Manager) AliveEvery() time.Duration {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		m.log.Warn("the service manager's watchdog is not served", "error", err)
	}
	return limit / 2
}

func (m *Manager) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		m.failed.Do(func() {
			m.log.Warn("the service manager is not told of the node's state", "state", state, "error", err)
		})
	}
}
