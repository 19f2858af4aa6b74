// Package call asks the webhooks of gates of mode Webhook, and tells those whom a gate's notifyRef names. It decides nothing: what is no
// clear answer to the very question is an error, and an error opens nothing.
package call
