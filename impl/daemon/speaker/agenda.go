package speaker

import "baton/impl/clock"

// agenda orders sessions by deadline: a binary heap in which each session knows its index,
// so that it can be moved.
type agenda struct {
	heap []*session
}

// first returns the session that is due first, or nil.
func (a *agenda) first() *session {
	if len(a.heap) == 0 {
		return nil
	}
	return a.heap[0]
}

// earliest returns its deadline.
func (a *agenda) earliest() clock.Instant {
	if x := a.first(); x != nil {
		return x.deadline
	}
	return clock.Never
}

func (a *agenda) add(x *session) {
	x.place = len(a.heap)
	a.heap = append(a.heap, x)
	a.move(x, x.Deadline())
}

// move changes a session's deadline.
func (a *agenda) move(x *session, deadline clock.Instant) {
	x.deadline = deadline
	a.down(a.up(x.place))
}

func (a *agenda) up(i int) int {
	for i > 0 {
		parent := (i - 1) / 2
		if !a.heap[i].deadline.Before(a.heap[parent].deadline) {
			break
		}
		a.swap(i, parent)
		i = parent
	}
	return i
}

func (a *agenda) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(a.heap) {
			return
		}
		if right := child + 1; right < len(a.heap) && a.heap[right].deadline.Before(a.heap[child].deadline) {
			child = right
		}
		if !a.heap[child].deadline.Before(a.heap[i].deadline) {
			return
		}
		a.swap(i, child)
		i = child
	}
}

func (a *agenda) swap(i, j int) {
	a.heap[i], a.heap[j] = a.heap[j], a.heap[i]
	a.heap[i].place, a.heap[j].place = i, j
}
