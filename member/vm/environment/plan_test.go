package environment

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

func pkg(name, version string, order int32) Wanted {
	return Wanted{Package: v1alpha1.Package{Name: name, Version: version, Order: order, Installer: v1alpha1.InstallerApt}}
}

func found(w Wanted) Found { return Found{Name: w.Name, Version: w.Version, Hash: w.Hash()} }

func names(wanted []Wanted) string {
	var out []string
	for _, w := range wanted {
		out = append(out, w.Name+"="+w.Version)
	}
	return strings.Join(out, " ")
}

func TestPlan(t *testing.T) {
	jdk, agent, tools := pkg("jdk", "21.0.2", 10), pkg("agent", "1", 20), pkg("tools", "3", 10)
	newer := pkg("jdk", "21.0.3", 10)
	tuned := jdk
	tuned.Settings.ConfigMap = map[string][]byte{"jvm.options": []byte("-Xmx1g")}
	for name, tc := range map[string]struct {
		found  []Found
		wanted []Wanted
		want   string
	}{
		"an empty machine, by order and then by name": {wanted: []Wanted{agent, tools, jdk}, want: "jdk=21.0.2 tools=3 agent=1"},
		"all there":            {found: []Found{found(jdk), found(agent)}, wanted: []Wanted{jdk, agent}},
		"another version":      {found: []Found{found(jdk), found(agent)}, wanted: []Wanted{newer, agent}, want: "jdk=21.0.3"},
		"other settings":       {found: []Found{found(jdk)}, wanted: []Wanted{tuned}, want: "jdk=21.0.2"},
		"what nobody wants":    {found: []Found{found(jdk), found(agent)}, wanted: []Wanted{jdk}},
		"nothing wanted":       {found: []Found{found(jdk)}},
		"an older installer's": {found: []Found{{Name: "jdk", Version: "21.0.2", Hash: "old"}}, wanted: []Wanted{jdk}, want: "jdk=21.0.2"},
	} {
		if diff := cmp.Diff(tc.want, names(Plan(tc.found, tc.wanted))); diff != "" {
			t.Errorf("%s (-want +have):\n%s", name, diff)
		}
	}
}

// TestPlanComesToAnEnd: installed in its order, nothing is left to do, wherever it was broken off.
func TestPlanComesToAnEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var wanted []Wanted
		var have []Found
		for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(strings.Split("abcdefgh", "")), rapid.ID).Draw(t, "names") {
			w := pkg(name, rapid.SampledFrom([]string{"1", "2"}).Draw(t, "version"), rapid.Int32Range(0, 3).Draw(t, "order"))
			wanted = append(wanted, w)
			if rapid.Bool().Draw(t, "installed") {
				have = append(have, found(pkg(name, "1", w.Order)))
			}
		}
		plan := Plan(have, wanted)
		for i, w := range plan {
			if i > 0 && plan[i-1].Order > w.Order {
				t.Fatalf("%s comes before %s", plan[i-1].Name, w.Name)
			}
		}
		for len(plan) > 0 {
			done := plan[0]
			have = append(have[:0:0], have...)
			for i := range have {
				if have[i].Name == done.Name {
					have = append(have[:i], have[i+1:]...)
					break
				}
			}
			have = append(have, found(done))
			next := Plan(have, wanted)
			if diff := cmp.Diff(names(plan[1:]), names(next)); diff != "" {
				t.Fatalf("after %s:\n%s", done.Name, diff)
			}
			plan = next
		}
	})
}

func TestCheck(t *testing.T) {
	sum := "sha256:" + strings.Repeat("0", 64)
	archive := v1alpha1.Package{Name: "app", Version: "1", Installer: "archive", Source: "https://x/app.tgz", Checksum: sum}
	edit := func(p v1alpha1.Package, change func(*v1alpha1.Package)) v1alpha1.Package { change(&p); return p }
	params := func(p v1alpha1.Package, key, value string) v1alpha1.Package {
		p.Params = map[string]v1alpha1.BoundedString{key: v1alpha1.BoundedString(value)}
		return p
	}
	for name, tc := range map[string]struct {
		p    v1alpha1.Package
		want string
	}{
		"archive":           {p: archive},
		"archive at a path": {p: params(archive, "path", "/srv/app")},
		"script":            {p: edit(archive, func(p *v1alpha1.Package) { p.Installer = "script" })},
		"apt":               {p: v1alpha1.Package{Name: "nginx", Version: "1.22.1-9", Installer: "apt"}},
		"unknown installer": {p: edit(archive, func(p *v1alpha1.Package) { p.Installer = "snap" }),
			want: `package app: installer "snap" is not known; there is: apt, archive, script`},
		"unknown parameter":   {p: params(archive, "strip", "1"), want: "installer archive knows no params.strip"},
		"a path that climbs":  {p: params(archive, "path", "/srv/../etc"), want: "is no absolute path below /"},
		"the root":            {p: params(archive, "path", "/"), want: "is no absolute path below /"},
		"no number":           {p: params(archive, "stripComponents", "1; rm -rf /"), want: "is no number from 0 to 9"},
		"a name with a slash": {p: edit(archive, func(p *v1alpha1.Package) { p.Name = "../app" }), want: "is no name of a folder"},
		"apt, no name":        {p: v1alpha1.Package{Name: "-y", Version: "1", Installer: "apt"}, want: "apt takes no name"},
		"apt, no version":     {p: v1alpha1.Package{Name: "x1", Version: "1 y", Installer: "apt"}, want: "apt takes no name"},
		"another scheme":      {p: edit(archive, func(p *v1alpha1.Package) { p.Source = "ftp://x" }), want: "is no https://, http://"},
	} {
		err := CheckAll([]v1alpha1.Package{tc.p})
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

func TestSettingsHash(t *testing.T) {
	plain, tuned := pkg("jdk", "1", 0), pkg("jdk", "1", 0)
	tuned.Settings.Secret = map[string][]byte{"password": []byte("a")}
	if got := SettingsHash([]Wanted{plain}); got != "" {
		t.Errorf("without settings: %q", got)
	}
	first := SettingsHash([]Wanted{tuned})
	tuned.Settings.Secret = map[string][]byte{"password": []byte("b")}
	if second := SettingsHash([]Wanted{tuned}); len(first) != 8 || first == second {
		t.Errorf("%q and %q", first, second)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"name":"jdk","version":"1","hash":"x"}` + "\n"))
	f.Add([]byte("\x00\xff\n{}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		out, err := Read(text)
		if err == nil && len(out) > MaxFound {
			t.Fatalf("%d packages", len(out))
		}
	})
}
