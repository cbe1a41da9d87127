package daemon

import "baton/impl/flow"

// Walk passes the whole table at once.
func (m *memory) Walk(f func(flow.Held)) (end bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.table {
		f(flow.Held{Entry: e, Found: true, Sound: true})
	}
	return true, nil
}

func (m *memory) Examine(tuples []flow.Tuple) ([]flow.Held, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := make([]flow.Held, len(tuples))
	for i, t := range tuples {
		e, found := m.table[t]
		e.Original = t
		held[i] = flow.Held{Entry: e, Found: found, Sound: found}
	}
	return held, nil
}

// Heal writes what is missing: no entry of this table is damaged.
func (m *memory) Heal(entries []flow.Entry, _ []flow.Tuple) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		if _, found := m.table[e.Original]; !found {
			m.table[e.Original] = e
		}
	}
	return m.fail
}
