package plan

import "slices"

// arrive brings an application under federation, for the first time or again: with everything suspended,
// it makes the control plane hold exactly what the members have, proves it, and opens them one by one.
// Until the first cluster is open every pass starts again from what the members hold, so a static release
// in between is taken in (and, being another plan, needs new approvals).
var arrive = slices.Concat(
	[]step{{name: "turn", run: (*journey).turn}, {name: "readable", run: (*journey).readable}},
	prepare,
	[]step{
		{name: "open", run: (*journey).openClusters},
		{name: "soak", run: (*journey).soak},
		{name: "release", run: (*journey).release},
		{name: "federated", run: (*journey).arrived},
	},
)

// prepare makes the control plane hold what the members have, and has that proved and approved: on the way in
// before the first cluster is opened, on the way out before anything is removed.
var prepare = []step{
	{name: "reach", run: (*journey).reach, prepares: true},
	{name: "discover", run: (*journey).discover, prepares: true},
	{name: "recordable", run: (*journey).recordable, prepares: true},
	{name: "quiet", run: (*journey).quiet, prepares: true},
	{name: "ownership", run: (*journey).ownership, prepares: true},
	{name: "whole", run: (*journey).whole, prepares: true},
	{name: "fixed", run: (*journey).fixed, prepares: true},
	{name: "protect", run: (*journey).protect, prepares: true},
	{name: "close", run: (*journey).closeFirst, prepares: true},
	{name: "overrides", run: (*journey).overrides, prepares: true},
	{name: "policies", run: (*journey).policies, prepares: true},
	{name: "templates", run: (*journey).templates, prepares: true},
	{name: "bindings", run: (*journey).bindings, prepares: true},
	{name: "fence", run: (*journey).fence, prepares: true},
	{name: "prove", run: (*journey).prove, prepares: true},
	{name: "approve", run: (*journey).approve, prepares: true},
}
