package netns

import (
	"fmt"
	"os"
	"strings"
)

// deafSetting is the kernel's setting of an interface.
const deafSetting = "/proc/sys/net/ipv4/conf/%s/drop_gratuitous_arp"

// canBeDeaf reports whether the kernel has the setting (Linux 4.6).
func canBeDeaf() bool {
	_, err := os.Stat(fmt.Sprintf(deafSetting, "default"))
	return err == nil
}

// SetDeaf has a host's ARP cache ignore gratuitous ARP, or believe it again. The receipt
// is what the kernel's setting reads.
func (p *Pair) SetDeaf(host string, deaf bool) (receipt string, err error) {
	h := p.byName[host]
	if h == nil || len(h.interfaces) == 0 {
		return "", fmt.Errorf("netns: no host %q", host)
	}
	value := "0"
	if deaf {
		value = "1"
	}
	var seen []string
	err = h.Do(func() error {
		for _, i := range h.interfaces {
			file := fmt.Sprintf(deafSetting, i.Name)
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
			seen = append(seen, fmt.Sprintf("%s/%s: drop_gratuitous_arp is %s", h.name, i.Name, value))
		}
		return nil
	})
	if err != nil {
		return "", noReceipt("%s: %w", host, err)
	}
	return strings.Join(seen, ", "), nil
}
