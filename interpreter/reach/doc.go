// Package reach knows which members can be asked, and makes the templates' statuses follow.
//
// Karmada asks for an aggregation when a Work's status changes, and nothing of a Work changes when its member stops answering: the
// template would go on counting replicas nobody has heard of. So the controller of this package writes into the status of each Work
// of a member that is not Ready the condition interpreter.argosy.dev/MemberReachable=False, and takes it away when the member is back.
// Karmada then asks the interpreter, which reads the same Clusters.
//
//	clusters.go    what a Cluster says
//	decide.go      which Works are to be written (pure)
//	controller.go  Clusters in, statuses of Works out; runs in argosy-controller-manager
package reach
