// Package lab runs a real Karmada federation as processes on this machine: etcd, karmada-apiserver
// and Karmada's components, and member clusters that are each a real kube-apiserver,
// kube-controller-manager, kube-scheduler, OpenKruise manager and a set of KWOK nodes.
//
// Tests that need one real API server and nothing else call StartAPIServer.
//
// It reads CRDs and manifests from the module cache and the clone, and writes to one state folder.
// It listens on 127.0.0.1 only. Programs are built by test/lab/binaries, children watched by
// test/lab/process, ports claimed by test/lab/ports, certificates made by test/lab/pki.
package lab
