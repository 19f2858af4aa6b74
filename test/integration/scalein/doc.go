// Package scalein holds PodScaleIn against two real API servers, a control plane and a member: what the kind and its
// admission refuse, what the controller refuses and waits for, and that it goes on from wherever it was killed.
//
// The tests play Karmada's part (world.karmada): what Karmada and OpenKruise really do is the business of test/e2e.
package scalein
