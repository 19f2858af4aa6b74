// Package code says whether the release that is on a server is the one asked for. It is pure.
//
// All of a release counts, its params and the place of its artifact too: the same version restarted with another unit is another release.
// What a manager deployed that wrote no hash is taken for what the server is asked to have, once: nobody can tell any more what it was
// (docs/decisions/0433-a-release-is-all-of-it.md).
package code
