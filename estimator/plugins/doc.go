// Package plugins lists the out-of-tree scheduler plugins compiled into Argosy's binaries.
//
// A company whose members run schedulers with plugins of their own adds them to Registry: one line a plugin, and its module to go.mod. A
// member whose scheduler configuration names a plugin that is not here is refused at start.
package plugins
