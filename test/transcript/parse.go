package transcript

import (
	"fmt"
	"strings"
)

// Step is a file to save or a command to type.
type Step struct {
	// Line of the page it begins at.
	Line int
	// File is the name to save Content under; empty for a command.
	File, Content string
	// Command is what the reader types, Want what it prints.
	Command, Want string
	// Wait says that the command is asked again until it prints that.
	Wait bool
}

// fence is what begins and ends a block.
const fence = "```"

// Parse reads a page. A console block without a command, or one that never ends, is an error: it would test nothing.
func Parse(page string) ([]Step, error) {
	var steps []Step
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		info, begins := strings.CutPrefix(lines[i], fence)
		if !begins {
			continue
		}
		first := i + 1
		for i++; i < len(lines) && lines[i] != fence; i++ {
		}
		if i == len(lines) {
			return nil, fmt.Errorf("line %d: the block does not end", first)
		}
		found, err := block(strings.Fields(info), lines[first:i], first+1)
		if err != nil {
			return nil, err
		}
		steps = append(steps, found...)
	}
	return steps, nil
}

// block reads the lines of one, which begin at a line of the page.
func block(info, lines []string, at int) ([]Step, error) {
	switch {
	case len(info) > 0 && info[0] == "console":
		return console(lines, at, len(info) > 1 && info[1] == "wait")
	case len(info) > 1:
		return []Step{{Line: at, File: info[1], Content: strings.Join(lines, "\n") + "\n"}}, nil
	}
	return nil, nil
}

func console(lines []string, at int, wait bool) ([]Step, error) {
	var steps []Step
	for i, line := range lines {
		command, typed := strings.CutPrefix(line, "$ ")
		if typed {
			steps = append(steps, Step{Line: at + i, Command: command, Wait: wait})
			continue
		}
		if len(steps) == 0 {
			return nil, fmt.Errorf("line %d: a console block begins with a command, \"$ ...\"", at+i)
		}
		last := &steps[len(steps)-1]
		if more, goesOn := strings.CutPrefix(line, "> "); goesOn && last.Want == "" {
			last.Command += "\n" + more
			continue
		}
		last.Want += line + "\n"
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("line %d: a console block without a command", at)
	}
	return steps, nil
}
