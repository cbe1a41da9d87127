package tree

import (
	"fmt"
	"strings"
	"time"

	"baton/impl/trace"
	"baton/netns/internal/hostclock"
)

// pollEvery is the interval of role polls.
const pollEvery = 20 * time.Millisecond

// roleWords maps the answers of the role command to roles.
var roleWords = map[string]string{"MASTER": "Master", "BACKUP": "Backup", "FAULT": "Fault", "INIT": "Init"}

// poll polls the role and emits each change, with the time since the last poll that had the
// old answer. It reports an invalid answer once.
func (n *node) poll() {
	role, complained, asked := "Init", "", n.began
	for range time.Tick(pollEvery) {
		before := asked
		asked = hostclock.Now()
		answer, err := n.output("role", n.Role)
		if !n.ready.Load() {
			return // the node and the command are being stopped
		}
		now, known := roleWords[strings.ToUpper(answer)]
		switch {
		case err == nil && known && now != role:
			n.emit(trace.Event{Kind: trace.KindRole, Role: &trace.Role{From: role, To: now, Reason: "the role command printed " + answer,
				Late: trace.Dur(hostclock.Now().Sub(before))}})
			role = now
		case err == nil && !known:
			err = fmt.Errorf("role printed %.60q: none of MASTER, BACKUP, FAULT, INIT", answer)
		}
		if err != nil {
			asked = before // no valid answer
		}
		if err != nil && err.Error() != complained {
			complained = err.Error()
			n.note("%s", complained)
		}
	}
}
