package main

import (
	"fmt"
	"strings"

	"github.com/argosy-dev/argosy/test/transcript"
)

const (
	prompt  = "$ "
	newline = "\r\n"
)

// typed is what a terminal shows of a command.
func typed(command string) string {
	return prompt + strings.ReplaceAll(command, "\n", newline+"> ")
}

// saved is what is shown where a page has its reader save a file.
func saved(file string) string { return "# " + file + " is saved as the page shows it" }

// differs says where a recording is not what its page shows; nil where it is.
func differs(cast Cast, steps []transcript.Step) error {
	type played struct{ command, shown string }
	var all []played
	for _, event := range cast.Events {
		switch {
		case event.Kind == marker:
			all = append(all, played{command: event.Text})
		case len(all) == 0:
			return fmt.Errorf("it shows %q before any command", event.Text)
		default:
			all[len(all)-1].shown += event.Text
		}
	}
	for _, step := range steps {
		command, want := step.Command, step.Want
		if step.File != "" {
			command, want = saved(step.File), ""
		}
		if len(all) == 0 {
			return fmt.Errorf("line %d of the page is not recorded: %s", step.Line, command)
		}
		next := all[0]
		all = all[1:]
		if next.command != command {
			return fmt.Errorf("line %d of the page has %q, and what is recorded there is %q", step.Line, command, next.command)
		}
		line := typed(command)
		if step.File != "" {
			line = command
		}
		out, ok := strings.CutPrefix(next.shown, line+newline)
		if !ok {
			return fmt.Errorf("line %d of the page: it is not seen how %q is typed", step.Line, command)
		}
		if out = strings.ReplaceAll(out, newline, "\n"); !transcript.Same(want, out) {
			return fmt.Errorf("line %d of the page: %s\nthe page shows:\n%s\nrecorded is:\n%s", step.Line, command, want, out)
		}
	}
	if len(all) > 0 {
		return fmt.Errorf("recorded is %q, which the page does not have", all[0].command)
	}
	return nil
}
