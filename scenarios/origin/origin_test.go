package origin

import (
	"runtime"
	"strings"
	"testing"
)

func TestHereNamesKernelAndBuild(t *testing.T) {
	host := Here("v1-2-gabc")
	if host.Kernel == "" || host.Arch != runtime.GOARCH || host.Cores < 1 || host.Go != runtime.Version() || host.Baton != "v1-2-gabc" {
		t.Errorf("%+v", host)
	}
}

func TestModelNamesTheFirstProcessor(t *testing.T) {
	const cpuinfo = "processor\t: 0\nmodel\t\t: 7\nmodel name\t: Fast Processor: 9\n\nprocessor\t: 1\nmodel name\t: Other\n"
	if got := model(strings.NewReader(cpuinfo)); got != "Fast Processor: 9" {
		t.Errorf("model %q", got)
	}
	if got := model(strings.NewReader("Features : fp asimd\n")); got != "" {
		t.Errorf("model %q from a file without a model name", got)
	}
}
