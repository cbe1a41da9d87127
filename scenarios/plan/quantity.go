package plan

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxDuration and maxCount limit values, so that sums cannot overflow.
const (
	maxDuration = 24 * time.Hour
	maxCount    = 10_000_000
)

// wrong is an error with the word that was probably meant.
type wrong struct{ message, suggestion string }

func (w *wrong) Error() string { return w.message }

var durationUnits = []string{"ns", "us", "µs", "ms", "s", "m", "h"}

var quantityParts = regexp.MustCompile(`^([0-9][0-9_.]*)([^0-9]*)`)

// parseDuration reads a duration as Go writes it. A bare 0 needs no unit.
func parseDuration(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err == nil {
		if d > maxDuration {
			return 0, &wrong{message: fmt.Sprintf("duration %s is longer than %s", text, formatDuration(maxDuration))}
		}
		return d, nil
	}
	parts := quantityParts.FindStringSubmatch(text)
	switch {
	case parts == nil:
		return 0, &wrong{message: fmt.Sprintf("%q is not a duration such as 50ms", text)}
	case parts[2] == "":
		return 0, &wrong{message: fmt.Sprintf("duration %q has no unit", text), suggestion: text + "ms"}
	}
	unit := strings.TrimRight(parts[2], ".")
	if unit == "%" {
		return 0, &wrong{message: fmt.Sprintf("%q is a share; write a number or a time", text)}
	}
	for _, known := range durationUnits {
		if unit == known {
			return 0, &wrong{message: fmt.Sprintf("%q is not a duration such as 1.5s or 1m30s", text)}
		}
	}
	return 0, &wrong{message: fmt.Sprintf("unknown unit %q in duration %q", unit, text), suggestion: meantUnit(unit)}
}

// meantUnit finds units that are written out, such as seconds, which Nearest does not.
func meantUnit(unit string) string {
	low := strings.ToLower(unit)
	for _, long := range []struct{ begin, unit string }{{"sec", "s"}, {"mil", "ms"}, {"min", "m"}, {"mic", "us"},
		{"nan", "ns"}, {"h", "h"}, {"ms", "ms"}, {"us", "us"}, {"ns", "ns"}, {"s", "s"}} {
		if strings.HasPrefix(low, long.begin) {
			return long.unit
		}
	}
	return ""
}

// formatDuration writes a duration as parseDuration reads it, in its largest
// whole unit up to seconds: 50ms, 90s.
func formatDuration(d time.Duration) string {
	unit, name := wholeUnit(d)
	return strconv.FormatInt(int64(d/unit), 10) + name
}

func wholeUnit(d time.Duration) (time.Duration, string) {
	switch {
	case d%time.Second == 0:
		return time.Second, "s"
	case d%time.Millisecond == 0:
		return time.Millisecond, "ms"
	case d%time.Microsecond == 0:
		return time.Microsecond, "us"
	}
	return time.Nanosecond, "ns"
}

// parseNumber reads a plain number: 500, 10_000, 10k, 0.5.
func parseNumber(text string) (float64, error) {
	digits, scale := strings.ReplaceAll(text, "_", ""), 1.0
	switch {
	case strings.HasSuffix(digits, "k"):
		digits, scale = digits[:len(digits)-1], 1e3
	case strings.HasSuffix(digits, "M"):
		digits, scale = digits[:len(digits)-1], 1e6
	}
	if strings.ContainsAny(digits, "xXpPeEnN") { // ParseFloat's hexadecimal, exponents, NaN
		return 0, &wrong{message: fmt.Sprintf("%q is not a number", text)}
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return 0, &wrong{message: fmt.Sprintf("%q is not a number", text)}
	}
	return f * scale, nil
}

// parseCount reads a whole number from low to high.
func parseCount(text string, low, high int) (int, error) {
	f, err := parseNumber(text)
	if err != nil {
		return 0, err
	}
	if f != math.Trunc(f) || f < float64(low) || f > float64(high) {
		return 0, &wrong{message: fmt.Sprintf("%s is not a whole number from %d to %d", text, low, high)}
	}
	return int(f), nil
}

// parseRate reads a rate a second: 100/s, 100, 6000/m.
func parseRate(text string) (float64, error) {
	digits, unit, slash := strings.Cut(text, "/")
	per := 1.0
	if slash {
		switch unit {
		case "s", "sec":
		case "ms":
			per = 1e-3
		case "m", "min":
			per = 60
		default:
			return 0, &wrong{message: fmt.Sprintf("unknown unit %q in rate %q", "/"+unit, text), suggestion: digits + "/s"}
		}
	}
	f, err := parseNumber(digits)
	if err != nil {
		return 0, &wrong{message: fmt.Sprintf("%q is not a rate such as 100/s", text), suggestion: meantRate(text, "/s")}
	}
	f /= per
	if f <= 0 || f > 1e6 {
		return 0, &wrong{message: fmt.Sprintf("rate %s is not above 0 and at most 1000000/s", text)}
	}
	return f, nil
}

// foreignRates are notations of rates in other programs. Bytes (MB/s) are not among them.
var foreignRates = []struct {
	form *regexp.Regexp
	ours string
}{
	{regexp.MustCompile(`^([0-9][0-9_.]*)([kKmMgG]?)(?:bps|b/s|[bB]its?/s|[bB]its?|b)$`), "${1}${2}bit"},
	{regexp.MustCompile(`^([0-9][0-9_.]*[kM]?)(?:pps|qps|rps|[hH]z)$`), "$1/s"},
}

// meantRate rewrites a rate in another program's notation, such as 10Mbps or 200pps. It is "" if the
// result does not have the wanted ending.
func meantRate(text, ending string) string {
	for _, rate := range foreignRates {
		if !rate.form.MatchString(text) {
			continue
		}
		meant := rate.form.ReplaceAllString(text, rate.ours)
		if strings.HasSuffix(meant, "bit") {
			meant = strings.ToLower(meant)
		}
		if strings.HasSuffix(meant, ending) {
			return meant
		}
	}
	return ""
}

func formatNumber(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func formatRate(f float64) string { return formatNumber(f) + "/s" }
