// Command recording plays a tutorial on a running federation and records what is seen: an asciicast, which asciinema and its players
// show, and a moving picture drawn from it, which a browser shows in a page.
//
// It types the commands of the page's console blocks, saves the files that the page shows, and refuses to record what the page does not
// show. A recording that is stored is held against its page by a test of this package, and the page against a federation by
// test/e2e/tutorials. `make recording` starts and stops the federation.
package main
