// Package template finds the pod behind a question: karmada-scheduler tells what a replica requests, not what it is.
//
// Decides: which pod stands for the workload's replicas in a member. Best is a live pod of the same workload and template in that member,
// as its admission and overrides have left it; then the template in karmada-apiserver, sent through the member's admission rules; last, a
// synthetic pod of the request alone. Reads: any workload in karmada-apiserver. Writes: nothing.
package template
