package plan

import "strings"

// Nearest returns the candidate that word was probably meant to be, "" if there is none. At most
// a third of its letters may differ, or word abbreviates it.
func Nearest(word string, candidates []string) string {
	low := strings.ToLower(word)
	best, least := "", len(word)+1
	for _, c := range candidates {
		target := strings.ToLower(c)
		d := edits(low, target)
		if len(low) >= 3 && strings.HasPrefix(target, low) {
			d = 1
		}
		if d < least && d <= max(1, len(target)/3) {
			best, least = c, d
		}
	}
	if best == word {
		return ""
	}
	return best
}

// edits is the optimal string alignment distance: insertions, deletions,
// substitutions, and swaps of neighbours.
func edits(a, b string) int {
	if len(a) > 64 { // longer than any word of the language
		return len(a)
	}
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}

// oneOf joins words: "a", "a or b", "a, b or c".
func oneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
