package plan

// depart cuts an application off: Karmada stops writing into the members, and nothing is deleted. It needs no
// answer from any member, so that a rollback works when one is down. It runs again while the application
// stays cut off, and puts right what somebody else changed: rollback wins over every other writer.
var depart = []step{
	{name: "suspend", run: (*journey).suspend},
	{name: "cutoff-fence", run: (*journey).departFence},
	{name: "mark", run: (*journey).mark},
	{name: "scalers", run: (*journey).scalers},
	{name: "cutoff", run: (*journey).cutOff},
}
