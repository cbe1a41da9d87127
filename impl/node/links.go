package node

import "baton/impl/fingerprint"

// links are the service links. Their carriers are down until inputs say otherwise.
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
	}
}

// receive notes the carrier of a link. One that is no service link counts nowhere.
func (ls links) receive(in Link) {
	for i := range ls {
		if ls[i].Name == in.Name {
			ls[i].Up = in.Up
		}
	}
}

// down names a link without carrier, "" if every link has one.
func (ls links) down() string {
	for i := range ls {
		if !ls[i].Up {
			return ls[i].Name
		}
	}
	return ""
}
