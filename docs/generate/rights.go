package main

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

const rightsIntro = `# Rights

What each program may do in karmada-apiserver - argosy-member-manager in the member it runs in - and which file asks for it: a rule exists
because a marker stands beside the code that needs it, and
` + "`make generate`" + ` writes ` + "`deploy/*/role.yaml`" + ` from the markers. The lab and the tests run the programs with exactly these.

`

const marker = "+kubebuilder:rbac:"

// right is one marker.
type right struct {
	groups, resources, names, namespace, verbs, path string
}

func rightsPage(all source) (string, error) {
	var page strings.Builder
	page.WriteString(generated + rightsIntro)
	for _, program := range []struct {
		name    string
		folders []string
	}{
		{"argosy-webhook", []string{"interpreter", "migration/iskarmada", "internal/scrape", "cmd/argosy-webhook"}},
		{"argosy-controller-manager", []string{
			"cronhpa", "fedhpa", "scalein", "release", "reschedule", "migration/controller", "migration/whitelist", "internal/scrape",
			"cmd/argosy-controller-manager",
		}},
		{"argosy-estimator", []string{"estimator", "internal/scrape", "cmd/argosy-estimator"}},
		{"argosy-renew", []string{"internal/install"}},
		{"argosy-member-manager", []string{"member", "internal/scrape", "cmd/argosy-member-manager"}},
	} {
		var found []right
		for _, folder := range program.folders {
			found = append(found, rightsOf(all.in(folder))...)
		}
		if len(found) == 0 {
			continue
		}
		fmt.Fprintf(&page, "## %s\n\n| API group | resources | verbs | asked for by |\n|---|---|---|---|\n", program.name)
		slices.SortStableFunc(found, func(a, b right) int { return strings.Compare(a.groups+a.resources, b.groups+b.resources) })
		for _, r := range found {
			where := ""
			if r.names != "" {
				where = " named " + r.names
			}
			if r.namespace != "" {
				where += " in " + r.namespace
			}
			fmt.Fprintf(&page, "| %s | %s%s | %s | `%s` |\n", r.groups, r.resources, where, r.verbs, r.path)
		}
		page.WriteString("\n")
	}
	return strings.TrimRight(page.String(), "\n") + "\n", nil
}

func rightsOf(files source) []right {
	var out []right
	for _, f := range files {
		for _, group := range f.Comments {
			for _, comment := range group.List {
				if at := strings.Index(comment.Text, marker); at >= 0 {
					out = append(out, rightOf(comment, at, f.path))
				}
			}
		}
	}
	return out
}

func rightOf(comment *ast.Comment, at int, path string) right {
	r := right{path: path, groups: "core"}
	for setting := range strings.SplitSeq(comment.Text[at+len(marker):], ",") {
		key, value, _ := strings.Cut(setting, "=")
		value = strings.ReplaceAll(strings.Trim(value, `"`), ";", ", ")
		switch key {
		case "groups":
			if value != "" {
				r.groups = value
			}
		case "resources":
			r.resources = value
		case "resourceNames":
			r.names = value
		case "namespace":
			r.namespace = value
		case "verbs":
			r.verbs = value
		}
	}
	r.groups, r.resources = strings.ReplaceAll(r.groups, "*", `\*`), strings.ReplaceAll(r.resources, "*", `\*`)
	return r
}
