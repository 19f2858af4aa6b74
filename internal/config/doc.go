// Package config reads the one configuration file of a binary, strictly: a field that does not exist, a value out of
// range or a second document fails the start with the field's name. It reads a file and writes nothing.
package config
