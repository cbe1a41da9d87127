package page

import (
	"testing"

	"baton/reports/internal/browser"
)

func TestMain(m *testing.M) { browser.Main(m) }
