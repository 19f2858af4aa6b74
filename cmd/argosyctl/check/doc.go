// Package check says whether an installation of Argosy can begin, and whether it is whole: facts are gathered from karmada-apiserver and
// the host cluster, and judged by pure functions.
package check
