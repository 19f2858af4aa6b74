// Package vm proves the controllers of virtual machines against a real API server and the lab's own IaaS over HTTPS.
package vm
