package model

// Verdicts of a comparison.
const (
	Better = "better"
	Same   = "same"
	Worse  = "worse"
	TooFew = "too few runs"
)

// Comparison holds the figures of new runs against those of a baseline.
type Comparison struct {
	Base string `json:"base"` // where they were read from
	New  string `json:"new"`
	// Verdict is worse if any row is, better if none is and some row is, same
	// otherwise; too few runs if nothing could be compared.
	Verdict string `json:"verdict"`
	// Alpha is the probability of calling identical runs different, over all rows together.
	Alpha float64 `json:"alpha"`
	// Effect is the least relative change of a median that matters.
	Effect float64  `json:"effect"`
	Rows   []Change `json:"rows"`
	// Remarks name what makes the comparison weaker: other machines, other
	// scenarios, what only one side has.
	Remarks []string `json:"remarks"`
}

// Change is one metric of one scenario in one world, then and now.
type Change struct {
	Scenario string       `json:"scenario"`
	World    string       `json:"world"`
	Metric   string       `json:"metric"`
	Unit     string       `json:"unit"`
	Verdict  string       `json:"verdict"`
	Base     Distribution `json:"base"`
	New      Distribution `json:"new"`
	// Delta is the relative change of the median: 0.2 is a fifth more.
	Delta float64 `json:"delta"`
	// P is the probability of such a difference between identical runs, as the
	// test gives it, and Adjusted the same corrected for the number of tests.
	P        float64 `json:"p"`
	Adjusted float64 `json:"adjusted"`
	Why      string  `json:"why"` // the verdict in words
}

// Distribution is a metric over the repeats.
type Distribution struct {
	N      int       `json:"n"`
	Median float64   `json:"median"`
	Low    float64   `json:"low"` // of the median's confidence interval
	High   float64   `json:"high"`
	Values []float64 `json:"values"`
}

// History is how figures went over batches of runs, oldest first.
type History struct {
	Dir     string   `json:"dir"`
	Batches []string `json:"batches"` // names of the folders, in order
	Trends  []Trend  `json:"trends"`
}

// Trend is one metric of one scenario in one world over the batches.
type Trend struct {
	Scenario string  `json:"scenario"`
	World    string  `json:"world"`
	Metric   string  `json:"metric"`
	Unit     string  `json:"unit"`
	Points   []Point `json:"points"`
	// Changes are the points at which the level changed.
	Changes []Shift `json:"changes"`
}

// Point is a metric in one batch.
type Point struct {
	Batch  int     `json:"batch"` // into History.Batches
	N      int     `json:"n"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Shift is a change point: the level before it and from it on.
type Shift struct {
	Point  int     `json:"point"` // into Trend.Points, the first of the new level
	Before float64 `json:"before"`
	After  float64 `json:"after"`
	P      float64 `json:"p"`
	// Verdict is better or worse.
	Verdict string `json:"verdict"`
}
