package model

// Verdicts of a comparison.
const (
	Better = "better"
	Same   = "same"
	Worse  = "worse"
	TooFew = "too few runs"
)

// Comparison compares the figures of new runs with those of a baseline.
type Comparison struct {
	Base string `json:"base"` // where they were read from
	New  string `json:"new"`
	// Verdict is worse if any row is worse, otherwise better if any is better, otherwise same, and
	// too few runs if no row could be compared.
	Verdict string `json:"verdict"`
	// Alpha is the probability of reporting a difference between identical runs, over all rows
	// together.
	Alpha float64 `json:"alpha"`
	// Effect is the smallest relative change of a median that is reported.
	Effect float64  `json:"effect"`
	Rows   []Change `json:"rows"`
	// Remarks list what weakens the comparison: other machines, other scenarios, rows that only
	// one side has.
	Remarks []string `json:"remarks"`
}

// Change compares one metric of one scenario in one world with the baseline.
type Change struct {
	Scenario string       `json:"scenario"`
	World    string       `json:"world"`
	Metric   string       `json:"metric"`
	Unit     string       `json:"unit"`
	Verdict  string       `json:"verdict"`
	Base     Distribution `json:"base"`
	New      Distribution `json:"new"`
	// Delta is the relative change of the median: 0.2 is 20 % more.
	Delta float64 `json:"delta"`
	// P is the p-value of the test: the probability of such a difference between identical runs.
	// Adjusted is P corrected for the number of tests.
	P        float64 `json:"p"`
	Adjusted float64 `json:"adjusted"`
	Why      string  `json:"why"` // explains the verdict
}

// Distribution describes a metric over the repeats.
type Distribution struct {
	N      int       `json:"n"`
	Median float64   `json:"median"`
	Low    float64   `json:"low"` // bound of the median's confidence interval
	High   float64   `json:"high"`
	Values []float64 `json:"values"`
}

// History is the development of figures over batches of runs, oldest first.
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
	// Changes are the points where the level changed.
	Changes []Shift `json:"changes"`
}

// Point is the value of a metric in one batch.
type Point struct {
	Batch  int     `json:"batch"` // index into History.Batches
	N      int     `json:"n"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Shift is a change point, with the level before and after it.
type Shift struct {
	Point  int     `json:"point"` // index into Trend.Points of the first point of the new level
	Before float64 `json:"before"`
	After  float64 `json:"after"`
	P      float64 `json:"p"`
	// Verdict is better or worse.
	Verdict string `json:"verdict"`
}
