// Package sshdeploy puts releases onto a machine over SSH: each unpacked in a folder of its own, its checksum verified, with a link
// `current` that is renamed over the old one, and a restart after that.
package sshdeploy
