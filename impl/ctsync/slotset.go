package ctsync

// A slotSet is a set of slot numbers.
type slotSet []uint64

func (s *slotSet) add(id uint32) {
	for int(id>>6) >= len(*s) {
		*s = append(*s, 0)
	}
	(*s)[id>>6] |= 1 << (id & 63)
}

func (s slotSet) has(id uint32) bool {
	return int(id>>6) < len(s) && s[id>>6]&(1<<(id&63)) != 0
}
