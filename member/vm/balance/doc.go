// Package balance says how members come into the pools of load balancers and out of them, whatever the load balancer is. A driver decides
// nothing: it brings a pool to what it is told, and says what the pool shows. It knows nothing of virtual machines: whoever has addresses
// to put behind a load balancer can use it.
//
// Every driver passes the suite of package balancetest.
package balance
