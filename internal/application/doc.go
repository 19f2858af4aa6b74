// Package application answers where an application is: what the control plane asked, what each member cluster has, what is wrong, and
// how far a change has come.
//
// Gather reads, once and writing nothing: the template, its binding, Works and policy; the Clusters; in each member that answers the
// object, its pods and its autoscaler; and the objects of Argosy that are about it. Look and Follow are pure: a View has one row a
// cluster and what is wrong, worst first; a Trace has the steps from the template to the members and the time each took. argosyctl
// prints them; anything else that shows an application uses the same.
package application
