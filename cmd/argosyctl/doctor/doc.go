// Package doctor finds what keeps Karmada from asking Argosy's interpreter, or from carrying its answers.
//
// gather reads karmada-apiserver and the webhook's certificate into Facts; Diagnose decides, from the facts and the
// time alone, what is wrong and what to do about it. Nothing is changed.
package doctor
