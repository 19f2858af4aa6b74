// Package httpdeploy has a company's own deploy system put code onto machines, through the contract of
// docs/reference/deployments.openapi.yaml. An answer it does not understand is an error and no knowledge.
package httpdeploy
