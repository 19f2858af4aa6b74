// Package deploy says how code is put onto a machine, whatever puts it there: package sshdeploy does it over SSH, and package httpdeploy
// asks a company's own deploy system, which serves docs/reference/deployments.openapi.yaml.
package deploy
