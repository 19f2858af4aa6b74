// Command chart checks, renders and packs a Helm chart with Helm's own packages, for those who have no helm at hand:
// the tests, CI and make chart.
//
//	chart lint     -chart DIR [-values FILE]   what helm lint --strict says
//	chart template -chart DIR [-values FILE]   what helm install would apply, hooks too, as one YAML stream
//	chart package  -chart DIR -out DIR         the archive that helm install takes, the same bytes for the same chart and -created
//
// It is a module of its own, so that Helm's dependencies stay out of the product's.
package main
