package tree

import (
	"fmt"
	"strings"
	"time"

	"baton/impl/trace"
	"baton/netns/internal/hostclock"
)

// pollEvery is the time between two questions for the role.
const pollEvery = 20 * time.Millisecond

// roleWords are what the role command may print, and the role that each means.
var roleWords = map[string]string{"MASTER": "Master", "BACKUP": "Backup", "FAULT": "Fault", "INIT": "Init"}

// poll asks for the role and tells each change, with the time since the last question that
// had the old answer, and once each answer that is no role.
func (n *node) poll() {
	role, complained, asked := "Init", "", n.began
	for range time.Tick(pollEvery) {
		before := asked
		asked = hostclock.Now()
		answer, err := n.output("role", n.Role)
		if !n.ready.Load() {
			return // it is being stopped, and the command with it
		}
		now, known := roleWords[strings.ToUpper(answer)]
		switch {
		case err == nil && known && now != role:
			n.tell(trace.Event{Kind: trace.KindRole, Role: &trace.Role{From: role, To: now, Reason: "the role command printed " + answer,
				Late: trace.Dur(hostclock.Now().Sub(before))}})
			role = now
		case err == nil && !known:
			err = fmt.Errorf("role printed %.60q: none of MASTER, BACKUP, FAULT, INIT", answer)
		}
		if err != nil {
			asked = before // it has told nothing
		}
		if err != nil && err.Error() != complained {
			complained = err.Error()
			n.tell(trace.Event{Kind: trace.KindNote, Note: n.Node + ": " + complained})
		}
	}
}
