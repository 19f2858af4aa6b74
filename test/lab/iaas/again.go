package iaas

import (
	"bytes"
	"io"
	"net/http"
)

// readAgain lets a body be read more than once.
func readAgain(r *http.Request) (func() io.ReadCloser, error) {
	text, err := io.ReadAll(r.Body)
	return func() io.ReadCloser { return io.NopCloser(bytes.NewReader(text)) }, err
}
