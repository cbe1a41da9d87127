// Package serve shows the runs of a folder over HTTP while they are made: an index with
// the history of each scenario, which follows the folder, and the page of each run. What
// is shown comes from files that anybody may have written, so every text is escaped, a
// content security policy forbids all but the server's own script, no symbolic link
// below the folder is followed, and only files of runs that a scan has found are served.
// It changes nothing in the folder; the command line calls it.
package serve
