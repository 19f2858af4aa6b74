package render

import (
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Error says which field of which object keeps a component from being rendered.
type Error struct {
	// Kind is Component or ComponentTemplate.
	Kind string
	// Name of that object.
	Name string
	// Field within it.
	Field *field.Path
	// Err is what is wrong.
	Err error
}

func (e *Error) Error() string {
	return e.Kind + " " + e.Name + ": " + e.Field.String() + ": " + e.Err.Error()
}

// Unwrap gives what is wrong.
func (e *Error) Unwrap() error { return e.Err }

// under is the same object, a field below.
func (e *Error) under(path *field.Path, err error) *Error {
	return &Error{Kind: e.Kind, Name: e.Name, Field: path, Err: err}
}
