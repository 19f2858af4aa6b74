// Package deploy carries what Argosy installs into karmada-apiserver inside the programs that install it: the kinds,
// each program's rights, and how Karmada is told to ask the webhook.
//
// It decides nothing. The folders crds, */role.yaml and webhook/interpreter.yaml are generated.
package deploy
