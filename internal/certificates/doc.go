// Package certificates decides when the webhook's own certificates are made and renewed, for installations without
// cert-manager. It is pure: it takes what exists, the names and now, and returns what should exist.
//
// One authority signs one serving certificate. Both are renewed long before they end, and a renewed authority leaves
// the old one trusted until it has expired, so that no caller ever meets a certificate it cannot verify:
//
//	new authority ─► trust = new + old ─► published to karmada-apiserver ─► serving certificate signed by new
package certificates
