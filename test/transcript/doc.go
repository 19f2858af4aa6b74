// Package transcript reads what a tutorial tells its reader to type, and compares what is printed with what the page shows.
//
// A page is Markdown. In a block marked console a line that begins with "$ " is a command, lines after it that begin with "> "
// go on with it, and what follows is its output. A block marked "console wait" is asked again until it prints that: what it
// asks must change nothing. A block marked with a language and a file name is a file the reader saves.
//
// It runs nothing and reads no file.
package transcript
