// Package pb is the code that `make generate` makes of request.proto.
package pb
