// Package iskarmada answers over HTTP who manages an application, for CI/CD that cannot link the Go package migration/publish.
//
// Decides nothing: publish.Ask does. Reads Migrations and whitelists in karmada-apiserver; writes nothing.
package iskarmada
