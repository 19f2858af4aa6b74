// Package machine says how virtual machines are made, looked at and removed, whatever makes them. A driver decides nothing: it asks its
// system, and says what that answered. What it could not ask about is an error, never a machine that is not there.
//
// Every driver passes the suite of package machinetest.
package machine
