// Package stat has the statistics of regression reports: whether two sets of repeats
// differ, and where a series of figures changed its level. It is pure and works on
// numbers only. reports/compare calls it.
package stat
