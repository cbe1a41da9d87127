package check

import (
	"testing"

	"baton/scenarios/metric"
)

// TestEveryMetricIsMeasured: the tables of metrics and measures agree, also on which metrics have a
// present value.
func TestEveryMetricIsMeasured(t *testing.T) {
	for _, m := range metric.All() {
		measure, ok := measures[m.Name]
		if !ok || measure.over == nil {
			t.Errorf("nothing measures %s", m.Name)
		}
		if (measure.now != nil) != m.Now {
			t.Errorf("%s: can be waited for %v, has a value at every moment %v", m.Name, m.Now, measure.now != nil)
		}
	}
	for name := range measures {
		if _, ok := metric.Of(name); !ok {
			t.Errorf("no such metric: %s", name)
		}
	}
}
