// Package servers makes Servers act in a member: it looks at their machines through a driver, derives the state from what is seen (package
// state) and works off the tasks that follow: today those of machines. What packages, code, load balancers, monitors and health checks
// ask for fails for good, and says so.
//
// Reads Servers, their VMReplicaSets, the Secrets their machines name, and a driver's system. Writes a Server's status, its finalizer and
// providerID, and deletes one that is offline; makes and removes machines.
//
// A machine is made and removed under the Server's lock, whose sequence its system is told: a process that was only paused, and comes back
// after another took over, is refused there. The lock and the creation are on record before the driver is asked, and the Server is read
// anew just before; the key is the Server's UID. So whoever dies anywhere leaves one machine, which the next one finds.
package servers
