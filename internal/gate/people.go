package gate

import "strings"

// IsProgram tells service accounts from people. A program's consent is a webhook gate's answer, never an approval.
func IsProgram(user string) bool { return strings.HasPrefix(user, "system:serviceaccount:") }

// ByPeople refuses a program's approval of something, whatever role it is bound to.
func ByPeople(what, user string) string {
	return what + " is approved by people, and " + user + " is a program"
}
