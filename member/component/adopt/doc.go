// Package adopt says whether a running object can be taken over by a Component without a change to it.
//
// It compares the object as it is with what the API server answered to a dry run of the rendered one, and finds which
// fields their former owners keep. It is pure; whoever asks the API server is package component.
package adopt
