// Package monitor tells monitoring systems which servers to watch, in the form of Prometheus' HTTP service discovery: /sd/NAMESPACE/SET
// answers with the targets of a set's servers that may be scraped by now. Whoever scrapes asks; nothing is pushed.
//
// Which servers those are their condition Monitored says, which the tasks AttachMonitor and PauseMonitor write. Every replica answers from
// its cache. The controller beside it takes the finalizer vm.argosy.dev/monitor off a Server whose monitors are paused.
package monitor
