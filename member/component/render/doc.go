// Package render makes the Kubernetes objects of a Component: its workload, Service and Ingress, and what the templates
// of the cluster add.
//
// It reads the Component, the ComponentTemplates of one cluster and that cluster's variables; it writes nothing and asks
// nobody. Every object is built in the same layers, of which the later has the last word:
//
//	skeleton    what follows from the kind: labels, selector, the main container and its port
//	templates   by level (Cluster, WorkloadType, Language, RunType), priority, name
//	spec        the fields of the Component
//	patches     spec.patches, in order
//
// Layers are merged as kubectl's strategic merge patches are. The same input gives the same bytes, in whichever order
// the templates come; Version rises when a later Argosy gives other bytes.
package render
