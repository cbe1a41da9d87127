package page

// The bundle is d3's modules and our own, see web/package.json; it needs node and npm.
//
//go:generate npm --prefix web ci --ignore-scripts
//go:generate npm --prefix web run build
