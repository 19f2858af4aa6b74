package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// job is what one go test is given.
type job []string

// plan is what to run, how much of it at a time.
type plan struct {
	atOnce int
	jobs   []job
}

// parse tells our flags, go test's and packages from one another.
func parse(args []string) (plan, error) {
	p := plan{}
	apart := ""
	var flags, packages []string
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		switch {
		case name == "-at-once":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 {
				return p, fmt.Errorf("-at-once=%s: want how many packages to run at a time, 1 or more", value)
			}
			p.atOnce = n
		case name == "-apart":
			if _, err := regexp.Compile(value); err != nil || value == "" || strings.Contains(value, "/") {
				return p, fmt.Errorf("-apart=%s: want a regular expression of whole tests' names, without subtests", value)
			}
			apart = value
		case strings.HasPrefix(arg, "-"):
			flags = append(flags, arg)
		default:
			packages = append(packages, arg)
		}
	}
	switch {
	case p.atOnce > 0:
		p.jobs = each(flags, packages, apart)
	case apart != "":
		return p, errors.New("-apart needs -at-once: one go test plays no package in parts")
	default:
		p.atOnce, p.jobs = 1, []job{with(flags, packages...)}
	}
	return p, nil
}

// each package is a job; the first is two, if some of its tests are to be apart.
func each(flags, packages []string, apart string) []job {
	var jobs []job
	for i, name := range packages {
		if i == 0 && apart != "" {
			jobs = append(jobs, with(flags, "-run="+apart, name), with(flags, "-skip="+apart, name))
			continue
		}
		jobs = append(jobs, with(flags, name))
	}
	return jobs
}

func with(flags []string, more ...string) job { return append(append(job{}, flags...), more...) }
