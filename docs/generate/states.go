package main

import (
	"fmt"
	"strings"

	"github.com/argosy-dev/argosy/member/vm/state"
)

const statesIntro = `# States of a Server

What decides the phase of a [Server](../concepts/server.md), and what is done about it: ` +
	"`member/vm/state`" + `, a table in code of which the first row that
applies wins. The row's name is the reason of condition Ready.

Facts are status fields; they change only when somebody looked, so a restart of a controller moves nobody. Behind the shut gate of a row
marked * the server stays as the rows below say, and goes on serving; the first task of the others waits at the gate.

`

const statesOutro = `
The state of an override is the person's, and so are its tasks, less ` +
	"`skipTasks`. On a Server that is deleted an override counts for its `skipTasks`" + ` alone.
The gate of a deletion is ` +
	"`removal`" + `, and stands where the set is deleted and its removalPolicy is Approve, or where the set is gone and nobody knows what it
asked for; a Server for which no machine was asked has none. With Keep the machine stays.
A task that failed for good blocks its operation (TaskBlocked) until a person changes the spec: then it begins anew, under another
number. A rejection gives the operation up. An approval counts for one operation by its id: what is asked for later asks again.
`

func statesPage(source) (string, error) {
	var page strings.Builder
	page.WriteString(generated + statesIntro)
	page.WriteString("| # | row | applies when | phase | gate | tasks, in order | until |\n|---|---|---|---|---|---|---|\n")
	for i, line := range state.Table() {
		gate := line.Gate
		if line.Waits {
			gate += "*"
		}
		fmt.Fprintf(&page, "| %d | %s | %s | %s | %s | %s | %s |\n", i+1, line.Name, cell(line.When), line.Phase, gate,
			strings.Join(line.Tasks, ", "), cell(line.Until))
	}
	page.WriteString(statesOutro)
	return page.String(), nil
}
