// Package shard says which of the controllers of a cluster acts on a Component, so that two never do.
//
//	label component.luojilab.com/controller-id   who is wanted; written by people
//	status.controllerID       who owns it, and alone acts; written by the owner, to hand over, or by the wanted one, to take
//	status.nextControllerID   the wanted one asks; the owner then hands over
//
//	          nobody owns it, or its owner is dead: Take
//	wanted ---------------------------------------------------> owner: Act
//	   |                                                          |
//	   +-- another owns it: Ask --> asked: Wait      asked: HandOver, then it is the other's
//
// Every write of the three rests on the very version that was read. A cache may be old all the same: who has handed over may see in its
// own that it did not. So a controller acts only once it has read from the API server itself that it is the owner (Confirmed), and forgets
// that when it hands over; nobody else takes a Component from an owner that lives. Whether one lives is its Lease, counted by the
// observer's own clock, for twice its length; the owner itself stops after once its length (Fresh).
//
// It reads and writes nothing.
package shard
