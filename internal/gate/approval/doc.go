// Package approval serves the admission of approvals over HTTPS. Stamps writes who decided and when into each new one, Checks lets
// through what is stamped and opens something, OwnField holds those who may patch an object and not update it to one field of it.
// It reads the request and nothing else; package gate decides.
package approval
