// Package serve shows the runs of a folder over HTTP: an index with the history of each scenario,
// which is updated while runs are added, and the page of each run. Anybody may have written the
// files, so every text is escaped, a content security policy allows only the server's own script,
// symbolic links below the folder are not followed, and only files of runs that a scan has found
// are served. Package serve writes nothing to the folder. The command line calls it.
package serve
