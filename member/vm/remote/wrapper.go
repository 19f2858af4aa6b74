package remote

import (
	"crypto/sha256"
	_ "embed" // the script
	"encoding/hex"
	"fmt"
	"strings"
)

//go:embed argosy-run.sh
var wrapper []byte

// Exit codes of the wrapper, and of the lines around it.
const (
	exitTorn    = 65
	exitMissing = 66
	exitLacks   = 69
	exitNoRoom  = 73
	exitFenced  = 75
	exitBusy    = 76
)

func sum(text []byte) string {
	out := sha256.Sum256(text)
	return hex.EncodeToString(out[:])
}

// place of the wrapper on a machine, in the shell's words.
func place() string {
	return `"${ARGOSY_ROOT:-}/var/lib/argosy/bin/argosy-run-` + sum(wrapper)[:16] + `"`
}

// invoke the wrapper, or say that it is not there.
func invoke(arguments string) string {
	return fmt.Sprintf("f=%s; [ -r \"$f\" ] || exit %d; exec sh \"$f\" %s", place(), exitMissing, arguments)
}

// upload reads the wrapper from its input. A torn one never gets its name.
func upload() string {
	return fmt.Sprintf("umask 077; f=%s; mkdir -p \"${f%%/*}\" && cat >\"$f.$$\" && "+
		"[ \"$(sha256sum <\"$f.$$\" | cut -c1-64)\" = %s ] && mv -f \"$f.$$\" \"$f\"", place(), sum(wrapper))
}

// quote for a POSIX shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
