package config

import "strings"

// or joins alternatives: "a", "a or b", "a, b or c".
func or(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// nearest returns the candidate with the smallest edit distance from word, and whether it
// is close enough to suggest.
func nearest(word string, candidates []string) (string, bool) {
	best, distance := "", len(word)
	for _, c := range candidates {
		if d := edits(strings.ToLower(word), c); d < distance {
			best, distance = c, d
		}
	}
	return best, best != "" && distance <= max(1, len(best)/3)
}

// edits returns the Levenshtein distance of two words.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
