package bfdio

import (
	"fmt"
	"os"
	"strings"
)

// DropsBroadcasts reports whether the kernel drops unicast IP packets that arrive on a link
// in broadcast frames, for one IP version, in the calling thread's network namespace.
func DropsBroadcasts(link string, v6 bool) (bool, error) {
	protocol, interfaces := "ipv4", []string{"all", link}
	if v6 {
		protocol, interfaces = "ipv6", []string{link}
	}
	for _, name := range interfaces {
		value, err := os.ReadFile(fmt.Sprintf("/proc/sys/net/%s/conf/%s/drop_unicast_in_l2_multicast", protocol, name))
		if err != nil {
			return false, fmt.Errorf("bfdio: %w", err)
		}
		if strings.TrimSpace(string(value)) != "0" {
			return true, nil
		}
	}
	return false, nil
}
