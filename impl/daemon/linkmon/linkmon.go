// Package linkmon watches the carrier and the hardware address of interfaces by rtnetlink.
// It judges nothing; the daemon passes its reports to the core (carrier) and the announcer
// (address).
package linkmon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// State is the state of one link.
type State struct {
	Name  string
	Index int  // another one if the link was deleted and made again
	Gone  bool // it was deleted, or moved to another network namespace
	Up    bool // administratively up, with carrier
	MAC   net.HardwareAddr
}

// retry is the pause before a broken subscription is renewed.
const retry = 100 * time.Millisecond

// Watch calls report with the state of each named link, now and after each change, until
// ctx is done. It watches the calling thread's network namespace. A broken subscription
// (the kernel had more updates than the socket could hold) is reported to broken and
// renewed, and all links are reported again, so that no change is missed.
func Watch(ctx context.Context, names []string, broken func(error), report func(State)) {
	for {
		err := watch(ctx, names, report)
		if ctx.Err() != nil {
			return
		}
		broken(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry):
		}
	}
}

// watch runs one subscription until it breaks or ctx is done.
func watch(ctx context.Context, names []string, report func(State)) error {
	updates, done := make(chan netlink.LinkUpdate, 64), make(chan struct{})
	defer close(done)
	broken := make(chan error, 1)
	err := netlink.LinkSubscribeWithOptions(updates, done, netlink.LinkSubscribeOptions{
		ListExisting: true,
		ErrorCallback: func(err error) {
			select {
			case broken <- err:
			default:
			}
		},
	})
	if err != nil {
		return fmt.Errorf("linkmon: subscribe to links: %w", err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-broken:
			return fmt.Errorf("linkmon: receive link updates: %w", err)
		case update, ok := <-updates:
			if !ok {
				return errors.New("linkmon: link updates ended")
			}
			// A bridge tells of its ports by messages of its own family. Such a DELLINK means that the link has left the bridge.
			if update.IfInfomsg.Family == unix.AF_BRIDGE {
				continue
			}
			if attrs := update.Attrs(); slices.Contains(names, attrs.Name) {
				report(state(update))
			}
		}
	}
}

func state(update netlink.LinkUpdate) State {
	attrs := update.Attrs()
	const carrier = unix.IFF_UP | unix.IFF_RUNNING
	gone := update.Header.Type == unix.RTM_DELLINK
	return State{
		Name: attrs.Name, Index: attrs.Index, Gone: gone,
		Up:  !gone && attrs.RawFlags&carrier == carrier,
		MAC: attrs.HardwareAddr,
	}
}
