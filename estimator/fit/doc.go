// Package fit is the arithmetic of the estimator: from what nodes, domains and quotas allow to how many copies of one pod fit.
//
// PURE: it takes values and functions of values. It decides how many copies fit; it reads and writes nothing.
//
// Each closed form here stands on a property of the kube-scheduler's Filter plugins, which its comment states and proves; the tests of
// package oracle hold every form against the scheduler itself on random clusters. A pod whose rules are not covered here is placed one by
// one by the oracle.
package fit
