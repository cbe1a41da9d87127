package dataplane

// Hook is the kernel hook to which the programs are attached.
type Hook uint8

const (
	HookTCX  Hook = iota // after the kernel has made an sk_buff of the frame
	HookXDP              // established flows in the driver, everything else as with HookTCX
	HookAuto             // HookXDP where both links are NICs that can do it, HookTCX elsewhere
)

var hookNames = [...]string{"tcx", "xdp", "auto"}

func (h Hook) String() string { return hookNames[h] }

// HookOf returns the hook of a name, HookTCX for "".
func HookOf(name string) Hook {
	for h, n := range hookNames {
		if n == name {
			return Hook(h)
		}
	}
	return HookTCX
}

// Attachment is the hook that a dataplane uses: never HookAuto.
type Attachment struct {
	Hook Hook
	Why  string // why HookAuto resulted in HookTCX; "" if it did not
}

// Left is the reason why XDP passed a packet of a VIP to the TCX program.
type Left uint8

const (
	LeftNew       Left = iota // without an entry, or to replace one
	LeftNeighbour             // its neighbour is unknown, or must be confirmed by the kernel (once a second)
	LeftChecksum              // its sender left the checksum to the kernel
	LeftOther                 // a fragment, ICMP, too big, or to be dropped
	LeftKinds
)

var leftNames = [LeftKinds]string{"new", "neighbour", "checksum", "other"}

func (l Left) String() string { return leftNames[l] }

// Fast counts what XDP did. Without it all is 0.
type Fast struct {
	Forwarded [2]uint64 // of Counters.Forwarded
	Left      [LeftKinds]uint64
}
