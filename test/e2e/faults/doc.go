// Package faults calls argosy-lab as a person does and breaks things: a taken port, a component that
// dies at start, a killed supervisor, an interrupted start. Each must end with one clear line, an
// exit code that is not 0, and nothing left running.
package faults
