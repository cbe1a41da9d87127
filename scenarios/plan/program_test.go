package plan

import (
	"slices"
	"strings"
	"testing"
)

// TestInvalidRunStepsAreRefused: an unknown program, one without an end, a machine or a unique name, and a
// claim about a program that does not run are refused; the message points at the word.
func TestInvalidRunStepsAreRefused(t *testing.T) {
	for line, want := range map[string]string{
		`run client1 "curl -s http://198.18.0.100/" for 2s`: "",
		`run client1 for 2s`:                                           "run what? The form is: run HOST \"COMMAND\" [as NAME] for DURATION",
		`run client1 "curl"`:                                           "run for how long? The form is: run HOST \"COMMAND\" [as NAME] for DURATION",
		`run client1 "sh -c 'a" for 2s`:                                "is not a command: separate its words by spaces, or put them in single quotes",
		`run client9 "curl" for 2s`:                                    `no host "client9": the topology has clients=1`,
		`run client1 "curl" as lb1 for 2s`:                             `a program cannot have the name of the host "lb1"; add as NAME`,
		"run client1 \"curl\" for 2s\n@2s run client1 \"curl\" for 1s": `a second program "curl"; the first is line 7. Add as NAME`,
		`crash lb1 "curl"`:                                             "crash takes no command; the form is: crash HOST...",
		"run client1 \"curl\" for 2s\n[netns] always exit(crul) == 0":  `unknown program "crul"; did you mean "curl"?`,
		"run client1 \"curl\" for 2s\n     expect exit(curl) == 0":     "exit(curl) is known only after the program has ended; use always",
		"[netns] run client1 \"curl\" for 2s\nalways exit(curl) == 0":  "exit(curl) == 0 can be judged in one world only: its program is guarded, the claim is not",
		"run client1 \"curl\" for 2s\n     always output(curl) contains \"200 OK\" ; output(curl) not contains \"reset\"": "",
		"run client1 \"curl\" for 2s\n     always output(crul) contains \"x\"":                                            `unknown program "crul"; did you mean "curl"?`,
		"run client1 \"curl\" for 2s\n     expect output(curl) contains \"x\"":                                            "output is known only after the program has ended; use always",
		"run client1 \"curl\" for 2s\n     wait output(curl) contains \"x\"":                                              "output is known only after the program has ended; use always",
		"run client1 \"curl\" for 2s\n     sometimes output(curl) contains \"x\"":                                         "output is known only after the program has ended; use always",
		"run client1 \"curl\" for 2s\n     always output contains \"x\"":                                                  "the output of which program? Use output(NAME)",
		"run client1 \"curl\" for 2s\n     always exit(curl) contains \"x\"":                                              `"exit" takes no contains; only the output of a program does`,
		"run client1 \"curl\" for 2s\n     always output(curl) contains \"\"":                                             "every output contains the empty text",
		"[netns] run client1 \"curl\" for 2s\nalways output(curl) contains \"x\"":                                         `can be judged in one world only: its program is guarded, the claim is not`,
	} {
		at := "@1s "
		if guard, rest, ok := strings.Cut(line, "] run"); ok {
			at, line = guard+"] @1s ", "run"+rest
		}
		_, found := Check("s.scn", []byte(preamble+at+line+"\n@3s end\n"))
		errs := found.Errors(true)
		switch {
		case want == "" && len(errs) > 0, want != "" && !slices.ContainsFunc(errs, func(d Diagnostic) bool { return strings.Contains(d.String(), want) }):
			t.Errorf("%q: %v, want %q", line, errs, want)
		}
	}
}

func TestWordsOfACommand(t *testing.T) {
	words, ok := Fault{Command: "sh -c 'curl  x | grep y' z"}.Words()
	if want := []string{"sh", "-c", "curl  x | grep y", "z"}; !ok || !slices.Equal(words, want) {
		t.Errorf("%q, want %q", words, want)
	}
}
