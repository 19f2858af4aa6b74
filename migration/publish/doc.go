// Package publish is for CI/CD systems: is this application federated, and publish it the right way.
//
// Ask decides from the application's Migration alone who may write its objects. Publish then applies them
// to the control plane, with policies for what is new, or straight to the members as before; while an
// application is between the two it is published nowhere. Both ways work side by side.
package publish
