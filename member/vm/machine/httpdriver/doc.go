// Package httpdriver makes machines through the HTTP contract of docs/reference/machines.openapi.yaml, which a
// company's own system can serve.
//
// It reads the Secret's key token for the bearer token; the address and the authority are the platform's, from the configuration of
// argosy-member-manager. An answer it does not understand is an error and no knowledge.
package httpdriver
