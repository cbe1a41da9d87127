package neigh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"baton/impl/daemon/internal/repeat"
)

// Neighbour is an address on a link.
type Neighbour struct {
	Link int // interface index
	Addr netip.Addr
}

// useEvery is the interval of requests to use an entry: it retries an unresolved entry and
// keeps a confirmed one valid.
const useEvery = time.Second

// renewAfter is the pause before a broken subscription is renewed.
const renewAfter = 100 * time.Millisecond

// Follower keeps the kernel's entries of neighbours resolved and reports their link-layer
// addresses.
type Follower struct {
	log    *slog.Logger
	failed func()
	lines  repeat.Filter // for failures
	space  netns.NsHandle

	mu         sync.Mutex
	neighbours []Neighbour
}

// NewFollower returns a follower for the calling thread's network namespace. It calls
// failed for each failed request and each broken subscription.
func NewFollower(neighbours []Neighbour, log *slog.Logger, failed func()) (*Follower, error) {
	space, err := netns.Get()
	if err != nil {
		return nil, fmt.Errorf("neigh: the network namespace: %w", err)
	}
	return &Follower{neighbours: slices.Clone(neighbours), log: log, failed: failed, space: space}, nil
}

// Move follows a neighbour on another link from now on. It is safe for concurrent use.
func (f *Follower) Move(neighbour Neighbour, link int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.Index(f.neighbours, neighbour); i >= 0 {
		f.neighbours[i].Link = link
	}
}

// followed returns the neighbours.
func (f *Follower) followed() []Neighbour {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.neighbours)
}

// Close closes the namespace's handle, after Run has returned.
func (f *Follower) Close() { f.space.Close() }

// enter returns the namespace to enter for a socket: none if the calling thread is already
// inside, because setns requires CAP_SYS_ADMIN, which a node does not have.
func (f *Follower) enter() (netns.NsHandle, error) {
	here, err := netns.Get()
	if err != nil {
		return netns.None(), fmt.Errorf("neigh: the network namespace: %w", err)
	}
	defer here.Close()
	if here.Equal(f.space) {
		return netns.None(), nil
	}
	return f.space, nil
}

// Run calls report with the link-layer address of each neighbour when it is resolved and
// when it changes, until ctx is done; nil means that it is no longer known. A broken
// subscription (the kernel had more updates than the socket could hold) is renewed, and
// everything is reported again.
func (f *Follower) Run(ctx context.Context, report func(Neighbour, net.HardwareAddr)) {
	for {
		err := f.follow(ctx, report)
		if ctx.Err() != nil {
			return
		}
		f.failed()
		if f.lines.News(err.Error(), time.Now()) {
			f.log.Warn("subscription to neighbours renewed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(renewAfter):
		}
	}
}

// follow runs one subscription until it breaks or ctx is done.
func (f *Follower) follow(ctx context.Context, report func(Neighbour, net.HardwareAddr)) error {
	space, err := f.enter()
	if err != nil {
		return err
	}
	handle, err := netlink.NewHandleAt(space, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("neigh: open netlink: %w", err)
	}
	defer handle.Close()
	updates, done := make(chan netlink.NeighUpdate, 64), make(chan struct{})
	defer close(done)
	broken := make(chan error, 1)
	if err := netlink.NeighSubscribeWithOptions(updates, done, netlink.NeighSubscribeOptions{
		Namespace: &space, ListExisting: true,
		ErrorCallback: func(err error) {
			select {
			case broken <- err:
			default:
			}
		},
	}); err != nil {
		return fmt.Errorf("neigh: subscribe to neighbours: %w", err)
	}
	again := time.NewTicker(useEvery)
	defer again.Stop()
	f.useAll(handle)
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-broken:
			return fmt.Errorf("neigh: receive neighbour updates: %w", err)
		case <-again.C:
			f.useAll(handle)
		case update, ok := <-updates:
			if !ok {
				return errors.New("neigh: neighbour updates ended")
			}
			if n, mac := parseUpdate(update); slices.Contains(f.followed(), n) {
				report(n, mac)
			}
		}
	}
}

// useAll asks the kernel to resolve or confirm the entries. The next round repeats failed
// requests; a link that is down is not logged.
func (f *Follower) useAll(handle *netlink.Handle) {
	for _, n := range f.followed() {
		family := netlink.FAMILY_V4
		if n.Addr.Is6() {
			family = netlink.FAMILY_V6
		}
		err := handle.NeighSet(&netlink.Neigh{LinkIndex: n.Link, Family: family, IP: n.Addr.AsSlice(), Flags: netlink.NTF_USE})
		if err != nil {
			f.failed()
		}
		if err != nil && !errors.Is(err, unix.ENETDOWN) && f.lines.News(n.Addr.String()+err.Error(), time.Now()) {
			f.log.Warn("neighbour not resolved or confirmed", "addr", n.Addr, "error", err)
		}
	}
}

// parseUpdate decodes an update.
func parseUpdate(update netlink.NeighUpdate) (Neighbour, net.HardwareAddr) {
	addr, _ := netip.AddrFromSlice(update.IP)
	mac := update.HardwareAddr
	if update.Type == unix.RTM_DELNEIGH || update.State&unusable != 0 {
		mac = nil
	}
	return Neighbour{Link: update.LinkIndex, Addr: addr.Unmap()}, mac
}
