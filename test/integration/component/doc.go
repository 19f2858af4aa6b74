// Package component holds the member manager's Components against a real API server: what they become, what is said of
// them, what is left alone, and that a running service is taken over by whom it was made by before.
//
// No controller of Kubernetes runs here: the tests play the Deployment controller's part and the garbage collector's. What those
// really do with it is the demo's business (scene component).
package component
