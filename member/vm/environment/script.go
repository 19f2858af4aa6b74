package environment

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// Fetch is a function of sh: fetch URL FILE CHECKSUM, the last as sha256:HEX, sha512:HEX or nothing. What does not match is thrown away. A
// store that says nothing for a minute is given up: what hangs on a machine hangs for ever. Only a wget that knows how
// is told: that of a BusyBox without it, Debian's for one, ends with a segmentation fault.
const Fetch = `fetch() {
  patience=${ARGOSY_FETCH_PATIENCE:-60}
  case $1 in
  file://*) cat "${1#file://}" >"$2" ;;
  *)
    if command -v curl >/dev/null; then
      curl -fsSL --connect-timeout 20 --speed-limit 1 --speed-time "$patience" --retry 2 -o "$2" "$1"
    elif command -v wget >/dev/null; then
      case $(wget --help 2>&1) in
      *-T[\ ,]*) wget -q -T "$patience" -t 3 -O "$2" "$1" ;;
      *) wget -q -O "$2" "$1" ;;
      esac
    else echo "neither curl nor wget is here to fetch $1" && return 1
    fi ;;
  esac || { echo "fetching $1 failed"; return 1; }
  case $3 in
  sha256:*) have=sha256:$(sha256sum <"$2" | cut -d' ' -f1) ;;
  sha512:*) have=sha512:$(sha512sum <"$2" | cut -d' ' -f1) ;;
  *) have=$3 ;;
  esac
  if [ "$have" != "$3" ]; then
    rm -f "$2"
    echo "what $1 gives has the checksum $have, and $3 was asked for: refused"
    return 1
  fi
}
`

const prelude = `set -eu
umask 022
root=${ARGOSY_ROOT:-}
records=$root/var/lib/argosy/packages
mkdir -p "$records" "$root/var/lib/argosy/fetched"
` + Fetch

// Script installs the packages in their order, each of them whole or not at all. It may be killed anywhere and run again.
func Script(packages []Wanted) []byte {
	var out bytes.Buffer
	out.WriteString(prelude)
	for _, w := range packages {
		fmt.Fprintf(&out, "\necho %s\n(\nset -eu\n%s)\n", Quote("installing "+w.Name+" "+w.Version), w.script())
	}
	out.WriteString("echo installed\n")
	return out.Bytes()
}

// id names the files of a package.
func id(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:8])
}

// script of one package: nothing is on record while it is worked on.
func (w Wanted) script() string {
	at := `"$records"/` + id(w.Name)
	var out strings.Builder
	fmt.Fprintf(&out, "rm -f %s.json\n", at)
	out.WriteString(w.settings())
	var check string
	switch w.Installer {
	case v1alpha1.InstallerApt:
		check = w.apt(&out)
	case v1alpha1.InstallerArchive:
		check = w.archive(&out)
	default:
		check = w.run(&out)
	}
	record, err := json.Marshal(Found{Name: w.Name, Version: w.Version, Hash: w.Hash()})
	if err != nil {
		record = nil // three strings: they always marshal
	}
	fmt.Fprintf(&out, "printf '%%s\\n' %s >%s.check\n", Quote(check), at)
	fmt.Fprintf(&out, "printf '%%s\\n' %s >%s.new\n", Quote(string(record)), at)
	fmt.Fprintf(&out, "mv -f %s.new %s.json\n", at, at)
	return out.String()
}

// settings written as files, the private ones for root alone.
func (w Wanted) settings() string {
	at := string(w.Params["configPath"])
	if at == "" || w.Installer == v1alpha1.InstallerScript {
		at = "/etc/argosy/" + id(w.Name)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "settings=$root%s\n", Quote(at))
	if len(w.Settings.ConfigMap)+len(w.Settings.Secret) == 0 {
		return out.String()
	}
	out.WriteString("mkdir -p \"$settings\"\n")
	for _, part := range []struct {
		data map[string][]byte
		mode string
	}{{w.Settings.ConfigMap, "022"}, {w.Settings.Secret, "077"}} {
		for _, key := range slices.Sorted(maps.Keys(part.data)) {
			fmt.Fprintf(&out, "(umask %s; base64 -d >\"$settings\"/%s <<'END'\n%s\nEND\n)\nmv -f \"$settings\"/%s \"$settings\"/%s\n",
				part.mode, Quote("."+key+".new"), wrap(base64.StdEncoding.EncodeToString(part.data[key])), Quote("."+key+".new"), Quote(key))
		}
	}
	return out.String()
}

// wrap keeps lines short: some shells bound them.
func wrap(text string) string {
	var out []string
	for len(text) > 76 {
		out, text = append(out, text[:76]), text[76:]
	}
	return strings.Join(append(out, text), "\n")
}

// apt may have been ended in the middle by a later holder of the lock: what it left is finished first.
func (w Wanted) apt(out *strings.Builder) (check string) {
	release := ""
	if w.Source != "" {
		release = " -t " + Quote(w.Source)
	}
	fmt.Fprintf(out, "export DEBIAN_FRONTEND=noninteractive\ndpkg --configure -a\napt-get -q -o DPkg::Lock::Timeout=300 update\n"+
		"apt-get -q -y -o DPkg::Lock::Timeout=300 --allow-downgrades --allow-change-held-packages install%s %s\n",
		release, Quote(w.Name+"="+w.Version))
	return fmt.Sprintf("[ \"$(dpkg-query -W -f '${db:Status-Status} ${Version}' %s)\" = %s ]", Quote(w.Name), Quote("installed "+w.Version))
}

// archive unpacks beside, and lets a link tell which one holds: who uses it sees the old one or the new one.
func (w Wanted) archive(out *strings.Builder) (check string) {
	at := string(w.Params["path"])
	if at == "" {
		at = "/opt/" + w.Name
	}
	strip := ""
	if n := w.Params["stripComponents"]; n != "" {
		strip = " --strip-components=" + string(n)
	}
	unpacked := "/opt/.argosy/" + id(w.Name) + "-" + w.Hash()[:12]
	fmt.Fprintf(out, `at=$root%s unpacked=$root%s
if [ -e "$at" ] && [ ! -L "$at" ]; then echo "$at is there already, and is none of ours"; exit 1; fi
file=$root/var/lib/argosy/fetched/%s
fetch %s "$file" %s
rm -rf "$unpacked" "$unpacked.new"
mkdir -p "$unpacked.new" "$(dirname "$at")"
tar -x -f "$file" -C "$unpacked.new"%s
mv "$unpacked.new" "$unpacked"
rm -f "$file" "$at.argosy"
ln -s "$unpacked" "$at.argosy"
mv -T -f "$at.argosy" "$at"
for old in "$root/opt/.argosy/"%s-*; do if [ "$old" != "$unpacked" ]; then rm -rf "$old"; fi; done
`, Quote(at), Quote(unpacked), id(w.Name), Quote(w.Source), Quote(w.Checksum), strip, id(w.Name))
	return fmt.Sprintf(`[ "$(readlink "${ARGOSY_ROOT:-}"%s)" = "${ARGOSY_ROOT:-}"%s ] && [ -d "${ARGOSY_ROOT:-}"%s ]`,
		Quote(at), Quote(unpacked), Quote(unpacked))
}

// run a script that is told what it is for. It may be run again.
func (w Wanted) run(out *strings.Builder) (check string) {
	fmt.Fprintf(out, `file=$root/var/lib/argosy/fetched/%s
fetch %s "$file" %s
export ARGOSY_PACKAGE=%s ARGOSY_VERSION=%s ARGOSY_SETTINGS="$settings"
`, id(w.Name), Quote(w.Source), Quote(w.Checksum), Quote(w.Name), Quote(w.Version))
	for _, key := range slices.Sorted(maps.Keys(w.Params)) {
		if key != "check" {
			fmt.Fprintf(out, "export ARGOSY_PARAM_%s=%s\n", variable(key), Quote(string(w.Params[key])))
		}
	}
	out.WriteString("chmod 700 \"$file\"\n\"$file\"\nrm -f \"$file\"\n")
	if check = string(w.Params["check"]); check == "" {
		check = "true"
	}
	return check
}

// variable is the name of a parameter as sh has it: heap-size is HEAP_SIZE.
func variable(key string) string {
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToUpper(r)
		}
		return '_'
	}, key)
}

// Quote for a POSIX shell.
func Quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
