// Package daemon runs a program beside a test until it answers, or ended: what died at its start is not waited for.
package daemon
