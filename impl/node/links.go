package node

import "baton/impl/fingerprint"

// links are the service links. Their carriers are down until inputs report otherwise.
type links []Link

func newLinks(names []string) links {
	ls := make(links, len(names))
	for i, name := range names {
		ls[i].Name = name
	}
	return ls
}

func (ls links) fingerprint(h *fingerprint.Hash) {
	h.Int(len(ls))
	for i := range ls {
		h.Text(ls[i].Name)
		h.Flag(ls[i].Up)
		h.Text(string(ls[i].MAC[:]))
	}
}

// receive records the state of a link, and reports whether its hardware address has
// changed. Other links than service links are ignored.
func (ls links) receive(in Link) (moved bool) {
	for i := range ls {
		if ls[i].Name == in.Name {
			moved = moved || ls[i].MAC != in.MAC
			ls[i].Up = in.Up
			ls[i].MAC = in.MAC
		}
	}
	return moved
}

// macs returns the hardware addresses of the service links.
func (ls links) macs() (macs [serviceLinks]MAC) {
	for i := range min(len(ls), len(macs)) {
		macs[i] = ls[i].MAC
	}
	return macs
}

// down names a link without carrier; "" if every link has one.
func (ls links) down() string {
	for i := range ls {
		if !ls[i].Up {
			return ls[i].Name
		}
	}
	return ""
}
