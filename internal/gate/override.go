package gate

import "fmt"

// Decided is a person's decision that is no approval: who gave it.
type Decided struct {
	// Field it stands in.
	Field string
	// User who writes.
	User string
	// Before is the giver that stands there already, and By the one that was sent; empty: none.
	Before, By string
}

// Refusal says why the decision is not taken; empty: it is, and bears the name of whoever writes it. Who changes another's decision takes
// it over.
func (d Decided) Refusal() string {
	switch {
	case IsProgram(d.User):
		return fmt.Sprintf("%s: people decide it, and %s is a program", d.Field, d.User)
	case d.By != "" && d.By != d.User && d.By != d.Before:
		return fmt.Sprintf("%s.by: %s cannot decide in the name of %s: leave it out, admission writes it", d.Field, d.User, d.By)
	}
	return ""
}
