// Package stat is the statistics of regression reports: whether two sets of repeats
// differ, and where a series of figures changed its level. It is pure: it knows
// numbers, no runs. reports/compare calls it.
package stat
