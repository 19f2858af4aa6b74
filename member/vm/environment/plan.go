package environment

import (
	"cmp"
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
)

// installerVersion is raised when an installer puts the same package onto a machine otherwise: it is then installed anew.
const installerVersion = 1

// Settings of a package: the data of its ConfigMap and its Secret, by key.
type Settings struct {
	ConfigMap map[string][]byte `json:"configMap,omitempty"`
	Secret    map[string][]byte `json:"secret,omitempty"`
}

// Wanted is a package with its settings.
type Wanted struct {
	v1alpha1.Package
	Settings Settings
}

// Found is what a machine says of one package.
type Found struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Hash is that of the package as it was wanted when it was installed.
	Hash string `json:"hash"`
}

func hash(value any, bytes int) string {
	text, err := json.Marshal(value)
	if err != nil {
		return "unreadable" // strings, bytes and maps of them: they always marshal
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:bytes])
}

// Hash of all that makes the package what it is; 32 hexadecimal digits.
func (w Wanted) Hash() string {
	return hash(struct {
		Version  int
		Package  v1alpha1.Package
		Settings Settings
	}{installerVersion, w.Package, w.Settings}, 16)
}

// SettingsHash says that settings changed, and no more: it is too short to find out by it what they are. Without any it is empty.
func SettingsHash(wanted []Wanted) string {
	all := map[string]Settings{}
	for _, w := range wanted {
		if len(w.Settings.ConfigMap)+len(w.Settings.Secret) > 0 {
			all[w.Name] = w.Settings
		}
	}
	if len(all) == 0 {
		return ""
	}
	return hash(all, 4)
}

// Plan is what has to be installed, in its order: lowest first, and by name among equals. What nobody wants any more stays.
func Plan(installed []Found, wanted []Wanted) []Wanted {
	have := map[string]string{}
	for _, f := range installed {
		have[f.Name] = f.Hash
	}
	var out []Wanted
	for _, w := range wanted {
		if have[w.Name] != w.Hash() {
			out = append(out, w)
		}
	}
	slices.SortStableFunc(out, func(a, b Wanted) int { return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Name, b.Name)) })
	return out
}

var (
	// plain names a file without meaning anything else.
	plain      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)
	aptName    = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)
	aptVersion = regexp.MustCompile(`^[A-Za-z0-9.+:~-]+$`)
	aptRelease = regexp.MustCompile(`^[A-Za-z0-9._/-]+$`)
	number     = regexp.MustCompile(`^[0-9]$`)
)

// params that each installer knows.
var params = map[string][]string{
	v1alpha1.InstallerApt:     {"configPath"},
	v1alpha1.InstallerArchive: {"configPath", "path", "stripComponents"},
	v1alpha1.InstallerScript:  nil, // whatever the script knows
}

// Check says in words why a package can never be installed.
func Check(p v1alpha1.Package) error {
	known, ok := params[p.Installer]
	if !ok {
		return fmt.Errorf("package %s: installer %q is not known; there is: apt, archive, script", p.Name, p.Installer)
	}
	if err := checkParams(p, known); err != nil {
		return err
	}
	switch p.Installer {
	case v1alpha1.InstallerApt:
		if !aptName.MatchString(p.Name) || !aptVersion.MatchString(p.Version) || p.Source != "" && !aptRelease.MatchString(p.Source) {
			return fmt.Errorf("package %s: apt takes no name, version or release like that", p.Name)
		}
	case v1alpha1.InstallerArchive:
		if p.Params["path"] == "" && !plain.MatchString(p.Name) {
			return fmt.Errorf("package %s: that is no name of a folder: set params.path", p.Name)
		}
		return checkSource(p)
	case v1alpha1.InstallerScript:
		return checkSource(p)
	}
	return nil
}

// checkParams of a package whose installer knows these; nil: any.
func checkParams(p v1alpha1.Package, known []string) error {
	for key, value := range p.Params {
		switch at := string(value); {
		case known != nil && !slices.Contains(known, key):
			return fmt.Errorf("package %s: installer %s knows no params.%s; it knows %s", p.Name, p.Installer, key, strings.Join(known, ", "))
		case known != nil && key == "stripComponents" && !number.MatchString(at):
			return fmt.Errorf("package %s: params.stripComponents %q is no number from 0 to 9", p.Name, at)
		case known != nil && key != "stripComponents" && (!path.IsAbs(at) || path.Clean(at) != at || at == "/"):
			return fmt.Errorf("package %s: params.%s %q is no absolute path below /", p.Name, key, at)
		}
	}
	return nil
}

func checkSource(p v1alpha1.Package) error {
	for _, scheme := range []string{"https://", "http://", "file:///"} {
		if strings.HasPrefix(p.Source, scheme) {
			return nil
		}
	}
	return fmt.Errorf("package %s: source %q is no https://, http:// or file:/// address", p.Name, p.Source)
}

// CheckAll packages of a template; nil: each can be installed.
func CheckAll(packages []v1alpha1.Package) error {
	var out []error
	for _, p := range packages {
		out = append(out, Check(p))
	}
	return errors.Join(out...)
}
