// Package control is what the controllers of VMReplicaSets, VMDeployments and Servers have alike: how they are set up, how an object is
// looked up, when it is looked at again, and how others have it looked at.
package control
