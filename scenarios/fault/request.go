package fault

import "fmt"

// NotListening is why a request to a node has no receipt if no process of the node takes requests.
func NotListening(node string) string {
	return fmt.Sprintf("%s takes no requests: it has not started yet, or has ended; write a wait for its role before this step", node)
}
