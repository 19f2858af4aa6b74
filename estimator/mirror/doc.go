// Package mirror keeps one member's state in memory: the objects its scheduler reads, by informers, through a transport that refuses
// writes.
//
// Decides: whether what is known of a member may be answered from (Fresh, Stale) or not (Lost).
// Reads: the member's API server. Writes: nothing; a request with any other method than GET or HEAD fails before it leaves.
//
//	          first sync              probe fails > freshFor           > keepFor
//	Joining ─────────────> Fresh ─────────────────────────> Stale ───────────────> Lost
//	                         ^ └──────── probe answers ───────┴─────────────────────┘
//
// A watch that breaks is resumed or listed anew by the informer itself; a member that hangs is noticed by the probe, whose timeout is
// short.
package mirror
