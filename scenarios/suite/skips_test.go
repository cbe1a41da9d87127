package suite

import (
	"bytes"
	"testing"

	"github.com/onsi/ginkgo/v2/types"
)

// What was skipped is named with its reason, and nothing else is.
func TestSkipsAreNamed(t *testing.T) {
	var out bytes.Buffer
	printSkips(&out, types.SpecReports{
		{ContainerHierarchyTexts: []string{"crash-master"}, LeafNodeText: "holds in sim", State: types.SpecStateSkipped,
			Failure: types.Failure{Message: "the simulator has no disks"}},
		{ContainerHierarchyTexts: []string{"crash-master"}, LeafNodeText: "holds in netns", State: types.SpecStatePassed},
		{LeafNodeText: "not asked for", State: types.SpecStateSkipped},
	})
	if want := "skipped  crash-master holds in sim: the simulator has no disks\nskipped  1 specs that a filter leaves out\n"; out.String() != want {
		t.Errorf("printed\n%swant\n%s", out.String(), want)
	}
}
