// Package fedhpa tests FedHPA's controllers and admission against a real API server, with Karmada's part played by the test.
package fedhpa
