package lab

import (
	"strconv"
	"strings"
)

// Name is the name of a machine: lb1, client1, backend2.
func Name(kind Kind, number int) string { return kind.String() + strconv.Itoa(number) }

// ParseName splits the name of a machine into its kind and number, whether or not the
// lab is large enough to have it.
func ParseName(name string) (Kind, int, bool) {
	for _, kind := range []Kind{Node, Client, Backend} {
		digits, ok := strings.CutPrefix(name, kind.String())
		if !ok {
			continue
		}
		n, err := strconv.Atoi(digits)
		return kind, n, err == nil && n > 0 && digits == strconv.Itoa(n) && (kind != Node || n <= len(Nodes()))
	}
	return 0, 0, false
}
