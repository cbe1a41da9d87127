package bpf

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/cilium/ebpf"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// objects holds the programs and maps of a family.
type objects struct {
	FromClient  *ebpf.Program `ebpf:"from_client"`
	FromBackend *ebpf.Program `ebpf:"from_backend"`
	TableApply  *ebpf.Program `ebpf:"table_apply"`
	TableHeal   *ebpf.Program `ebpf:"table_heal"`
	TableRemove *ebpf.Program `ebpf:"table_remove"`
	TableAssure *ebpf.Program `ebpf:"table_assure"`
	TableCheck  *ebpf.Program `ebpf:"table_check"`

	Conns         *ebpf.Map `ebpf:"conns"`
	Replies       *ebpf.Map `ebpf:"replies"`
	Fragments     *ebpf.Map `ebpf:"fragments"`
	Services      *ebpf.Map `ebpf:"services"`
	Ranges        *ebpf.Map `ebpf:"ranges"`
	BackendTables *ebpf.Map `ebpf:"backend_tables"`
	LoadTables    *ebpf.Map `ebpf:"load_tables"`
	DnatBackends  *ebpf.Map `ebpf:"dnat_backends"`
	DnatRanges    *ebpf.Map `ebpf:"dnat_ranges"`
	Members       *ebpf.Map `ebpf:"members"`
	Refusals      *ebpf.Map `ebpf:"refusals"`
	FlowCounts    *ebpf.Map `ebpf:"flow_counts"`
	Validated     *ebpf.Map `ebpf:"validated"`
	Addresses     *ebpf.Map `ebpf:"addresses"`
	Batch         *ebpf.Map `ebpf:"batch"`

	// Shared by the families.
	Control  *ebpf.Map `ebpf:"control"`
	Counters *ebpf.Map `ebpf:"counters"`
	Events   *ebpf.Map `ebpf:"events"`
	Doorbell *ebpf.Map `ebpf:"doorbell"`

	ClientMac      *ebpf.Variable `ebpf:"client_mac"`
	BackendMac     *ebpf.Variable `ebpf:"backend_mac"`
	PeerClientMac  *ebpf.Variable `ebpf:"peer_client_mac"`
	PeerBackendMac *ebpf.Variable `ebpf:"peer_backend_mac"`
	RelayUntil     *ebpf.Variable `ebpf:"relay_until"`
	Generation     *ebpf.Variable `ebpf:"generation"`
	FragmentIds    *ebpf.Variable `ebpf:"fragment_ids"`
	Limited        *ebpf.Variable `ebpf:"limited"`
	Ranged         *ebpf.Variable `ebpf:"ranged"`
	PortTurns      *ebpf.Variable `ebpf:"port_turns"`
	Encapsulates   *ebpf.Variable `ebpf:"encapsulates"`
	TunnelSource4  *ebpf.Variable `ebpf:"tunnel_source4"`
	TunnelSource6  *ebpf.Variable `ebpf:"tunnel_source6"`
}

// shared returns the maps that the families share: lease, counters, event ring and its doorbell.
func (o *objects) shared() map[string]*ebpf.Map {
	return map[string]*ebpf.Map{lbMapControl: o.Control, lbMapCounters: o.Counters, lbMapEvents: o.Events, lbMapDoorbell: o.Doorbell}
}

func (o *objects) close() error {
	var errs []error
	for _, p := range []*ebpf.Program{o.FromClient, o.FromBackend, o.TableApply, o.TableHeal, o.TableRemove, o.TableAssure, o.TableCheck} {
		errs = append(errs, p.Close())
	}
	for _, m := range []*ebpf.Map{o.Conns, o.Replies, o.Fragments, o.Services, o.Ranges, o.BackendTables, o.LoadTables, o.DnatBackends, o.DnatRanges, o.Members, o.Refusals, o.FlowCounts, o.Validated, o.Addresses, o.Batch,
		o.Control, o.Counters, o.Events, o.Doorbell} {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}

// tables are the programs and the connection table of one family. A node always has IPv4,
// and has IPv6 if its configuration contains an IPv6 address. IPv6 does not change the size
// of an IPv4 entry.
type tables interface {
	objects() *objects
	// pinned returns the maps of pinnedTables.
	pinned() []*ebpf.Map
	// fast returns the XDP programs; nil if there are none.
	fast() *fastPath
	beginTurns(snatTurn uint64) error
	// suffix marks the family in the names of pinned objects.
	suffix() string
	// has reports whether an address belongs to the family.
	has(a flow.Addr) bool
	putServices(services []dataplane.Service, generation uint32, roles map[flow.Addr]model.AddressRole, host model.Host) (prune func() error, replaced bool, err error)
	install(entries []flow.Entry, only condition, now clock.Instant) (missed int, err error)
	heal(entries []flow.Entry, now clock.Instant) (missed int, err error)
	delete(tuples []flow.Tuple, only condition) error
	deleteReplicated(tuples []flow.Tuple, now clock.Instant) error
	lookup(t flow.Tuple, now clock.Instant) (flow.Entry, bool, error)
	dump(now clock.Instant, f func(flow.Entry) bool) (done bool, err error)
	sweep(now, since clock.Instant) ([]flow.Entry, error)
	walk(now clock.Instant, f func(flow.Held)) (end bool, err error)
	damage(t flow.Tuple, vanishes bool) error
	examine(tuples []flow.Tuple, now clock.Instant) ([]flow.Held, error)
	evictions() uint64
	event(sample []byte) (flow.Event, bool)
	portsUsed(all map[flow.Service]dataplane.PortUse)
	deferred(sample []byte) (e flow.Event, packet []byte, ok bool)
	assure(tuples []flow.Tuple) error
	refused(all map[flow.Service]dataplane.Refusals) error
	close() error
}

// family implements tables.
type family[A addr] struct {
	objs      objects
	ends      *tunnelEnds // of IPv4; nil of IPv6
	xdp       *fastPath
	batch     batchBuffer[A]
	walker    walker[A]
	timeouts  dataplane.Timeouts
	lifetimes atomic.Pointer[dataplane.Lifetimes] // of entries without a timeout of their service

	half     dataplane.PortRange                   // of the SNAT ports
	balanced atomic.Pointer[[]dataplane.Service]   // the family's services, whose SNAT ports a sweep counts
	limited  atomic.Pointer[map[flow.Service]bool] // the services with limits, whose flows a sweep counts
	counting atomic.Bool                           // flow_counts may have entries
	used     atomic.Pointer[map[flow.Service]dataplane.PortUse]

	evicts  bool          // removes embryonic entries when the table fills up
	evicted atomic.Uint64 // removed so far

	backends     backendTables[A]
	services     mirror[rawServiceKey[A], rawService[A]]
	ranges       mirror[rawPortKey[A], rawServiceKey[A]]
	members      mirror[rawMember[A], uint32]
	refusals     mirror[rawServiceKey[A], rawRefusals]
	dnatBackends mirror[rawEndpoint[A], uint32]
	dnatRanges   mirror[rawPortKey[A], uint32]
	addresses    mirror[A, uint32]
}

var _, _ tables = (*family[ipv4])(nil), (*family[ipv6])(nil)

// loadFamily loads the programs of a family into the kernel. They use the given maps instead
// of new ones.
func loadFamily[A addr](spec familySpec, cfg dataplane.Config, client, backend *net.Interface,
	opts options, maps map[string]*ebpf.Map) (*family[A], error) {
	constants := map[string]any{
		lbVarClientIfindex: uint32(client.Index), lbVarBackendIfindex: uint32(backend.Index),
		lbVarClientMac: [6]byte(client.HardwareAddr), lbVarBackendMac: [6]byte(backend.HardwareAddr),
		lbVarSnatFirst:     cfg.SNATPorts.First,
		lbVarDatagramSeed:  cfg.DatagramSeed,
		lbVarSnatSeed:      cfg.SNATSeed,
		lbVarSnatTurns:     cfg.SNATTurn != 0,
		lbVarSnatCount:     uint32(cfg.SNATPorts.Len()),
		lbVarSnatPeerFirst: cfg.SNATPeer.First,
		lbVarSnatPeerCount: uint32(cfg.SNATPeer.Len()),
		lbVarChallengeKey:  cfg.ChallengeKey,
		lbVarFakeClock:     opts.fakeClock,
		lbVarDropEcho:      cfg.DropEcho,
		lbVarDeferReplies:  cfg.Defer,
		lbVarIcmpRate:      uint32(cfg.ICMPRate),
		lbVarCrcFine:       crcPowers(crcFine, 1),
		lbVarCrcCoarse:     crcPowers(crcCoarse, crcFine),
	}
	if err := setConstants(spec.programs, constants); err != nil {
		return nil, err
	}
	spec.programs.Maps[lbMapFlowCounts].MaxEntries = uint32(cfg.MaxFlows + dataplane.MaxServices)
	if opts.eventRing != 0 {
		spec.programs.Maps[lbMapEvents].MaxEntries = opts.eventRing
	}
	f := &family[A]{timeouts: cfg.Timeouts, half: cfg.SNATPorts, evicts: !cfg.KeepEmbryonic}
	if err := f.load(spec.programs, maps); err != nil {
		return nil, fmt.Errorf("bpf: load programs: %w", err)
	}
	if spec.fast != nil {
		var err error
		if f.xdp, err = loadFast(spec.fast, constants, &f.objs, f.ends); err != nil {
			return nil, errors.Join(err, f.close())
		}
	}
	f.backends = backendTables[A]{
		outer: f.objs.BackendTables, built: make(map[uint32]dataplane.Service), ends: f.ends,
		loads: loads[A]{outer: f.objs.LoadTables, tables: make(map[uint32]*loadTable[A])},
	}
	f.services = newMirror[rawServiceKey[A], rawService[A]](f.objs.Services)
	f.ranges = newMirror[rawPortKey[A], rawServiceKey[A]](f.objs.Ranges)
	f.members = newMirror[rawMember[A], uint32](f.objs.Members)
	f.refusals = newMirror[rawServiceKey[A], rawRefusals](f.objs.Refusals)
	f.dnatBackends = newMirror[rawEndpoint[A], uint32](f.objs.DnatBackends)
	f.dnatRanges = newMirror[rawPortKey[A], uint32](f.objs.DnatRanges)
	f.addresses = newMirror[A, uint32](f.objs.Addresses)
	if err := errors.Join(f.batch.open(f.objs.Batch), f.beginTurns(cfg.SNATTurn)); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// load loads the programs and maps of the family.
func (f *family[A]) load(spec *ebpf.CollectionSpec, maps map[string]*ebpf.Map) (err error) {
	with := &ebpf.CollectionOptions{MapReplacements: maps}
	if !is4[A]() {
		return spec.LoadAndAssign(&f.objs, with)
	}
	var all struct {
		*objects
		TunnelEnds *ebpf.Map `ebpf:"tunnel_ends"`
	}
	all.objects = &f.objs
	if err := spec.LoadAndAssign(&all, with); err != nil {
		return err
	}
	if f.ends, err = openTunnelEnds(all.TunnelEnds, maps[lbMapTunnelEnds] != nil); err != nil {
		return errors.Join(err, all.TunnelEnds.Close(), f.objs.close())
	}
	return nil
}

// setConstants sets the constants of programs before loading.
func setConstants(spec *ebpf.CollectionSpec, constants map[string]any) error {
	for name, value := range constants {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("bpf: open: set %s: %w", name, err)
		}
	}
	return nil
}

func (f *family[A]) evictions() uint64 { return f.evicted.Load() }

func (f *family[A]) objects() *objects { return &f.objs }

func (f *family[A]) pinned() []*ebpf.Map {
	all := []*ebpf.Map{f.objs.Conns, f.objs.Replies}
	if f.ends != nil {
		all = append(all, f.ends.kernel)
	}
	return all
}

func (f *family[A]) fast() *fastPath { return f.xdp }

const suffix4, suffix6 = "4", "6"

func (f *family[A]) suffix() string {
	if f.has(flow.Addr{}) {
		return suffix6
	}
	return suffix4
}

func (f *family[A]) has(a flow.Addr) bool { return a.Is4() == is4[A]() }

func is4[A addr]() bool {
	var one A
	return len(one) == len(ipv4{})
}

func (f *family[A]) close() error {
	return errors.Join(f.batch.close(), f.backends.loads.close(), f.xdp.close(), f.ends.close(), f.objs.close())
}
