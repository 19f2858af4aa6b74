// Package estimator tests the mirror of a member against a real API server behind a line that can be cut, and can hang.
package estimator
