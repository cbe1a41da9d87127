package daemon

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"

	"baton/impl/daemon/control"
)

// kernelMap returns a map that the node's process holds, by name.
func (n *testNode) kernelMap(t *testing.T, name string) *ebpf.Map {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", n.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, _ := os.ReadFile(file) // a file may have been closed since
		for line := range strings.Lines(string(text)) {
			id, ok := strings.CutPrefix(line, "map_id:")
			if !ok {
				continue
			}
			number, err := strconv.Atoi(strings.TrimSpace(id))
			if err != nil {
				t.Fatal(err)
			}
			m, err := ebpf.NewMapFromID(ebpf.MapID(number))
			if err != nil {
				continue
			}
			if info, err := m.Info(); err == nil && info.Name == name {
				t.Cleanup(func() { m.Close() })
				return m
			}
			m.Close()
		}
	}
	t.Fatalf("node %s holds no map %s", n.Node, name)
	return nil
}

// sendSYN opens a connection to the web service of a node, from a client on the link.
func sendSYN(t *testing.T, from, to *testNode, port uint16) {
	t.Helper()
	service := to.Services[0]
	ip := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: net.IPv4(198, 18, 0, 77), DstIP: service.VIP.AsSlice()}
	tcp := &layers.TCP{SrcPort: layers.TCPPort(port), DstPort: layers.TCPPort(service.Port.First), SYN: true, Seq: 1, Window: 1024}
	if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	packet := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(packet, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: from.mac(t, "client0"), DstMAC: to.mac(t, "client0"), EthernetType: layers.EthernetTypeIPv4}, ip, tcp)
	if err != nil {
		t.Fatal(err)
	}
	from.in(t, func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		index, err := linkIndex("client0")
		if err != nil {
			return err
		}
		return unix.Sendto(fd, packet.Bytes(), 0, &unix.SockaddrLinklayer{Ifindex: index})
	})
}

// Bytes of a key and of a value of the kernel's connection table of IPv4: struct tuple and
// struct conn of types.h.
const (
	keyPort   = 8  // the client's
	replyFrom = 8  // the reply tuple
	replyTo   = 24 // before the byte
	snatPort  = 18
)

// TestAFlippedBitOfTheKernelsTableIsHealed: on both nodes. So are an entry that vanished and one
// that no packet has opened.
func TestAFlippedBitOfTheKernelsTableIsHealed(t *testing.T) {
	master, backup := startedPair(t)
	const flows = 3
	for i := range uint16(flows) {
		sendSYN(t, backup, master, 40000+i)
	}
	for _, n := range []*testNode{master, backup} {
		n.waitStatus(t, "told of the flows", func(s control.Status) bool { return s.Flows == flows })
		conns := n.kernelMap(t, "conns")
		keys, values := entriesOf(t, conns)
		if len(keys) != flows {
			t.Fatalf("%s: %d entries, want %d", n.Node, len(keys), flows)
		}
		flipped, extra := bytes.Clone(values[0]), bytes.Clone(keys[2])
		flipped[snatPort] ^= 1 << 2
		extra[keyPort] ^= 1 << 5
		if err := conns.Put(keys[0], flipped); err != nil {
			t.Fatal(err)
		}
		if err := conns.Delete(keys[1]); err != nil {
			t.Fatal(err)
		}
		if err := conns.Put(extra, values[2]); err != nil {
			t.Fatal(err)
		}
		n.waitStatus(t, "told of the damage", func(s control.Status) bool {
			found := s.Scrub.ByKind
			return found["altered"] == 1 && found["missing"] == 1 && found["extra"] == 1
		})
		for i, key := range keys {
			got, err := conns.LookupBytes(key)
			if err != nil || !bytes.Equal(got[replyFrom:replyTo], values[i][replyFrom:replyTo]) {
				t.Errorf("%s: entry %d is %x, was %x (%v)", n.Node, i, got, values[i], err)
			}
		}
		if got, _ := entriesOf(t, conns); len(got) != flows {
			t.Errorf("%s: %d entries, want %d", n.Node, len(got), flows)
		}
	}
	for _, n := range []*testNode{master, backup} {
		n.scrape(t, `baton_scrub_damage_total{kind="altered"} 1`, `baton_scrub_damage_total{kind="mirror"} 0`, `baton_scrub_unhealed_total 0`)
	}
}

// entriesOf reads a map.
func entriesOf(t *testing.T, m *ebpf.Map) (keys, values [][]byte) {
	t.Helper()
	var key, value []byte
	all := m.Iterate()
	for all.Next(&key, &value) {
		keys, values = append(keys, bytes.Clone(key)), append(values, bytes.Clone(value))
	}
	if err := all.Err(); err != nil {
		t.Fatal(err)
	}
	return keys, values
}
