package field

// Reader reads several fields of one object and keeps the first error, so that a rule that needs six numbers is six
// lines and one check. After an error every value is zero.
type Reader struct {
	object map[string]any
	err    error
}

// Read begins to read an object.
func Read(object map[string]any) *Reader { return &Reader{object: object} }

// Err is the first error.
func (r *Reader) Err() error { return r.err }

// Int64 is the whole number at path, or def when absent.
func (r *Reader) Int64(def int64, path ...string) int64 {
	return keep(r, func() (int64, error) { return Int64(r.object, def, path...) })
}

// Count is the number of things at path, or def when absent.
func (r *Reader) Count(def int32, path ...string) int32 {
	return keep(r, func() (int32, error) { return Count(r.object, def, path...) })
}

// Bool is the boolean at path; false when absent.
func (r *Reader) Bool(path ...string) bool {
	return keep(r, func() (bool, error) { return Bool(r.object, path...) })
}

// String is the string at path; empty when absent.
func (r *Reader) String(path ...string) string {
	return keep(r, func() (string, error) { return String(r.object, path...) })
}

func keep[T any](r *Reader, read func() (T, error)) T {
	var zero T
	if r.err != nil {
		return zero
	}
	value, err := read()
	if err != nil {
		r.err = err
		return zero
	}
	return value
}
