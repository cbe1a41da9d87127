package ha

import "testing"

func TestASetOfGatesChangesByTheGatesThatOpenAndClose(t *testing.T) {
	open := LinksUp | InSync
	for _, tt := range []struct {
		rule string
		got  Gates
		want string
	}{
		{"opens one", open.With(Granted, true), "LinksUp+InSync+Granted"},
		{"opens one that is open", open.With(InSync, true), "LinksUp+InSync"},
		{"closes one", open.With(InSync, false), "LinksUp"},
		{"closes one that is closed", open.With(Granted, false), "LinksUp+InSync"},
		{"closes the last", InSync.With(InSync, false), "none"},
	} {
		if tt.got.String() != tt.want {
			t.Errorf("%s: %s, want %s", tt.rule, tt.got, tt.want)
		}
	}
}
