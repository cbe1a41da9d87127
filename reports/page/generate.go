package page

// The bundle contains d3's modules and our own, see web/package.json. Building it needs node and
// npm.
//
//go:generate npm --prefix web ci --ignore-scripts
//go:generate npm --prefix web run build
