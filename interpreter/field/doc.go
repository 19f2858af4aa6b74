// Package field reads values out of the JSON maps Karmada hands over, without converting whole objects: a rule
// touches the five fields it needs, and everything it does not know survives untouched.
//
// It decides nothing, reads the map it is given and writes nothing. Absent and null are the same: the zero value or
// the given default. A value of the wrong type is an error that names the field's path from the object's root, so the
// person who wrote the object can find it.
package field
