// Package cronhpa tests the CronHPA controller and the kind's rules against a real API server, on a clock of the test's own.
package cronhpa
