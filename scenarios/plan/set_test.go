package plan

import (
	"strings"
	"testing"
)

func TestSetOverridesWhatTheFileSays(t *testing.T) {
	source := "scenario s\nconfig bfd.tx=50ms\nconfig lb1 priority=200\nservice web tcp 198.18.0.100:80\n@0s wait lb1 is Master\n@1s end\n"
	p, err := Parse("s.scn", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"bfd.tx=20ms", "gates=off", "priority=90", "lb2.priority=91"} {
		if err := p.Set(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []struct{ node, key, value string }{
		{"lb1", "bfd.tx", "20ms"}, {"lb2", "ha.gates", "off"}, {"lb1", "ha.priority", "90"}, {"lb2", "ha.priority", "91"},
	} {
		if got := p.Value(Netns, want.node, want.key); got != want.value {
			t.Errorf("%s of %s is %q, want %q", want.key, want.node, got, want.value)
		}
	}
	if len(p.Unsafe()) != 1 {
		t.Errorf("unsafe settings %v, want the gates", p.Unsafe())
	}
}

func TestSetRefusesWithAReason(t *testing.T) {
	for text, want := range map[string]string{
		"gates":          "KEY=VALUE",
		"gatse=off":      `did you mean "gates"?`,
		"ha.gates=maybe": "ha.gates",
		"bfd.tx=fast":    "bfd.tx",
	} {
		if err := (&Plan{}).Set(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v does not say %s", text, err, want)
		}
	}
}
