package main

import (
	"bytes"
	"strings"
	"testing"
)

// A missing tool is listed with the tests that are skipped without it, and how to install it.
func TestTheDoctorNamesOptionalTools(t *testing.T) {
	var out bytes.Buffer
	printTools(&out, func(program string) (string, bool) { return "/found/" + program, program == "clang" })
	for _, want := range []string{
		"ok       clang: /found/clang\n",
		"absent   FRR bfdd: the tests of BFD against it are skipped (Debian: apt install frr)\n",
		"absent   BIRD: ", "absent   Chromium: ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the doctor does not say %q:\n%s", want, out.String())
		}
	}
}
