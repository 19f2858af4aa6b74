// The kinds of other operators that the chart can make objects of. Only their CRD files are read; nothing is compiled, so
// there is no package here, and go mod tidy would empty the list.
module github.com/argosy-dev/argosy/test/lab/modules/operators

go 1.26.0

require (
	github.com/cert-manager/cert-manager v1.18.2
	github.com/prometheus-operator/prometheus-operator v0.85.0
)
