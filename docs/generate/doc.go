// Command generate writes the pages of docs/reference that are read out of the code: the configuration files, the metrics
// and the rights. It reads Go source and writes Markdown; make generate runs it, and make verify fails when a page is old.
package main
