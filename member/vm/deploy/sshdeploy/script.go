package sshdeploy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/code"
	"github.com/argosy-dev/argosy/member/vm/deploy"
	"github.com/argosy-dev/argosy/member/vm/environment"
)

// Parameters of a release, spec.release.params.
const (
	// ParamPath is the folder that holds releases/ and current; /opt/app is the default.
	ParamPath = "path"
	// ParamUnit is the systemd unit to restart once the release is current.
	ParamUnit = "unit"
	// ParamRestart is a command of sh in the folder of the release, in place of a unit.
	ParamRestart = "restart"
	// ParamUnpack "false" keeps the artifact as the one file it is.
	ParamUnpack = "unpack"
)

const defaultPath = "/opt/app"

// kept is how many releases stay on a machine for a rollback.
const kept = 3

var (
	known     = []string{ParamPath, ParamUnit, ParamRestart, ParamUnpack}
	plain     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)
	unitName  = regexp.MustCompile(`^[A-Za-z0-9:_.@-]+$`)
	goodStart = regexp.MustCompile(`^(https?://|file:///)`)
)

// Check says why a release can never be deployed.
func Check(r v1alpha1.Release) error {
	for key := range r.Params {
		if !slices.Contains(known, key) {
			return fmt.Errorf("%w: system ssh knows no params.%s; it knows %s", deploy.ErrInvalid, key, strings.Join(known, ", "))
		}
	}
	switch {
	case !goodStart.MatchString(r.Artifact):
		return fmt.Errorf("%w: artifact %q is no https://, http:// or file:/// address", deploy.ErrInvalid, r.Artifact)
	case r.Checksum == "" && !strings.HasPrefix(r.Artifact, "file:"):
		return fmt.Errorf("%w: an artifact over http(s) needs a checksum", deploy.ErrInvalid)
	case !plain.MatchString(r.Version):
		return fmt.Errorf("%w: version %q is no name of a folder", deploy.ErrInvalid, r.Version)
	}
	return checkParams(r)
}

func checkParams(r v1alpha1.Release) error {
	at := pathOf(r)
	switch unit, unpack := string(r.Params[ParamUnit]), r.Params[ParamUnpack]; {
	case !path.IsAbs(at) || path.Clean(at) != at || at == "/":
		return fmt.Errorf("%w: params.path %q is no absolute path below /", deploy.ErrInvalid, at)
	case unit != "" && (!unitName.MatchString(unit) || unit[0] == '-'):
		return fmt.Errorf("%w: params.unit %q is no name of a unit", deploy.ErrInvalid, unit)
	case unit != "" && r.Params[ParamRestart] != "":
		return fmt.Errorf("%w: params.unit and params.restart are one or the other", deploy.ErrInvalid)
	case unpack != "" && unpack != "true" && unpack != "false":
		return fmt.Errorf("%w: params.unpack %q is neither true nor false", deploy.ErrInvalid, unpack)
	}
	return nil
}

func pathOf(r v1alpha1.Release) string {
	if at := string(r.Params[ParamPath]); at != "" {
		return at
	}
	return defaultPath
}

// folder of what a release unpacks to: another artifact of the same version is another one, and so is one that is kept as the one file it
// is. Other params are how the same files are run.
func folder(r v1alpha1.Release) string {
	what := r.Artifact + "\n" + r.Checksum
	if r.Params[ParamUnpack] == "false" {
		what += "\nas it is"
	}
	sum := sha256.Sum256([]byte(what))
	return r.Version + "-" + hex.EncodeToString(sum[:4])
}

// record is what a machine keeps of a release, for the surveys to come.
func record(r v1alpha1.DeployedRelease) string {
	text, err := json.Marshal(r)
	if err != nil {
		return "" // strings: they always marshal
	}
	return environment.Quote(string(text))
}

// Script brings a release up. It may be killed anywhere and run again; releases that are there whole are not fetched again. Its record says
// what was brought up only once it was: of one that was cut off it says that.
func Script(r v1alpha1.Release) []byte {
	done := code.Deployed(r)
	unfinished := *done
	unfinished.Hash = code.Unfinished
	unpack := "tar -x -f \"$file\" -C \"$release.new\"\nrm -f \"$file\""
	if r.Params[ParamUnpack] == "false" {
		unpack = "chmod 755 \"$file\"\nmv \"$file\" \"$release.new/\"" + environment.Quote(path.Base(r.Artifact))
	}
	restart := "echo nothing is restarted"
	switch {
	case r.Params[ParamUnit] != "":
		restart = "systemctl restart -- " + environment.Quote(string(r.Params[ParamUnit]))
	case r.Params[ParamRestart] != "":
		restart = "cd \"$at/current/\"\nexport ARGOSY_VERSION=" + environment.Quote(r.Version) + "\nsh -c " +
			environment.Quote(string(r.Params[ParamRestart]))
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, `set -eu
umask 022
at=${ARGOSY_ROOT:-}%s
release=$at/releases/%s
mkdir -p "$at/releases"
%s
if [ ! -e "$release/.argosy-release" ]; then
  echo %s
  file=$at/releases/.fetched
  fetch %s "$file" %s
  rm -rf "$release" "$release.new"
  mkdir "$release.new"
  %s
  printf '%%s\n' %s >"$release.new/.argosy-release"
  mv "$release.new" "$release"
fi
note() {
  printf '%%s\n' "$1" >"$release/.argosy-release.new"
  mv -f "$release/.argosy-release.new" "$release/.argosy-release"
}
note %s
if [ -e "$at/current" ] && [ ! -L "$at/current" ]; then echo "$at/current is there already, and is none of ours"; exit 1; fi
rm -f "$at/current.new"
ln -s "releases/"%s "$at/current.new"
mv -T -f "$at/current.new" "$at/current"
touch "$release"
(
%s
)
note %s
cd "$at/releases"
ls -1t | tail -n +%d | while read -r old; do
  if [ "$old" != %s ]; then rm -rf "./$old"; fi
done
echo deployed
`, environment.Quote(pathOf(r)), environment.Quote(folder(r)), environment.Fetch, environment.Quote("fetching "+r.Version),
		environment.Quote(r.Artifact), environment.Quote(r.Checksum), unpack, record(unfinished), record(unfinished),
		environment.Quote(folder(r)), restart, record(*done), kept+1, environment.Quote(folder(r)))
	return out.Bytes()
}

// Survey is a command that prints the record of the current release, or nothing.
func Survey(r v1alpha1.Release) string {
	return `cat "${ARGOSY_ROOT:-}"` + environment.Quote(pathOf(r)) + "/current/.argosy-release 2>/dev/null || :\n"
}

// Read what a survey printed; nil: no release is there.
func Read(output []byte) (*v1alpha1.DeployedRelease, error) {
	if output = bytes.TrimSpace(output); len(output) == 0 {
		return nil, nil
	}
	out := &v1alpha1.DeployedRelease{}
	if err := json.Unmarshal(output, out); err != nil {
		return nil, fmt.Errorf("reading which release is there: %w", err)
	}
	if len(out.Version) > 128 || len(out.Checksum) > 135 || len(out.Hash) > 64 {
		return nil, errors.New("reading which release is there: the machine's record of it is longer than any of ours")
	}
	return out, nil
}
