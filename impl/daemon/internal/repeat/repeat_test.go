package repeat

import (
	"fmt"
	"testing"
	"time"
)

func TestARepeatedMessageIsLoggedOncePerPeriod(t *testing.T) {
	var f Filter
	now := time.Unix(0, 0)
	lines := 0
	for i := range 1000 { // ten seconds
		if f.News(fmt.Sprint("reason ", i%3), now.Add(time.Duration(i)*Every/1000)) {
			lines++
		}
	}
	if lines != 3 {
		t.Errorf("%d lines, want one for each of 3 reasons", lines)
	}
	if !f.News("reason 0", now.Add(Every)) {
		t.Error("what goes on is not told again")
	}
}

func TestManyLinesCostBoundedMemory(t *testing.T) {
	var f Filter
	for i := range 10 * maxTexts {
		f.News(fmt.Sprint("line ", i), time.Unix(0, 0))
		if len(f.written) > maxTexts {
			t.Fatalf("%d lines are remembered, want at most %d", len(f.written), maxTexts)
		}
	}
}
