package netns

import (
	"fmt"
	"os"
	"path"
	"strings"

	"baton/scenarios/lab"
)

// deafSettings are the interface's sysctls, by family.
var deafSettings = [lab.Families]string{"ipv4/conf/%s/drop_gratuitous_arp", "ipv6/conf/%s/drop_unsolicited_na"}

// canBeDeaf reports whether the kernel has these sysctls (Linux 4.6).
func canBeDeaf() bool {
	_, err := os.Stat("/proc/sys/net/" + fmt.Sprintf(deafSettings[lab.IPv4], "default"))
	return err == nil
}

// SetDeaf makes a host ignore gratuitous ARP and unsolicited neighbour advertisements, or
// accept them again. The receipt is the sysctls as read back.
func (p *Pair) SetDeaf(host string, deaf bool) (receipt string, err error) {
	h := p.byName[host]
	if h == nil || len(h.interfaces) == 0 {
		return "", fmt.Errorf("netns: no host %q", host)
	}
	value := "0"
	if deaf {
		value = "1"
	}
	var receipts []string
	err = h.Do(func() error {
		for _, i := range h.interfaces {
			for _, addr := range i.Addrs() {
				setting := deafSettings[lab.FamilyOf(addr.Addr())]
				if err := writeSetting("/proc/sys/net/"+fmt.Sprintf(setting, i.Name), value); err != nil {
					return err
				}
				receipts = append(receipts, fmt.Sprintf("%s/%s: %s is %s", h.name, i.Name, path.Base(setting), value))
			}
		}
		return nil
	})
	if err != nil {
		return "", noReceipt("%s: %w", host, err)
	}
	return strings.Join(receipts, ", "), nil
}

// writeSetting writes a sysctl and reads it back.
func writeSetting(file, value string) error {
	if err := os.WriteFile(file, []byte(value), 0); err != nil {
		return err
	}
	read, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(string(read)); got != value {
		return fmt.Errorf("%s is %s after %s was written", file, got, value)
	}
	return nil
}
