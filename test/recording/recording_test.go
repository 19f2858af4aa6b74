package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/argosy-dev/argosy/test/transcript"
)

const (
	clone = "../.."
	page  = `Save it:
'''yaml web.yaml
kind: Deployment
'''
'''console
$ cat web.yaml && \
>   echo '<12s>'
kind: Deployment
<12s>
$ true
'''
'''console wait
$ echo more >> asked && wc -l < asked
3
'''
`
)

func stepsOf(t *testing.T, text string) []transcript.Step {
	t.Helper()
	steps, err := transcript.Parse(strings.ReplaceAll(text, "'''", "```"))
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// played is the page above, typed in a shell.
func played(t *testing.T, text string) (Cast, error) {
	t.Helper()
	p := &player{folder: t.TempDir(), clock: clocktesting.NewFakePassiveClock(time.Unix(0, 0)), again: time.Millisecond,
		cast: Cast{Header: Header{Version: 2, Width: 30, Height: 5, Title: "T & t", IdleTimeLimit: 2}}}
	err := p.play(t.Context(), stepsOf(t, text))
	return p.cast, err
}

// TestStoredRecordings: each is what its page shows today, short enough for a newcomer and a clone, and its picture is drawn from it.
func TestStoredRecordings(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(clone, "docs", "recordings", "*.cast"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recording is there: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".cast")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cast, err := Decode(string(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		again, err := cast.Encode()
		if err != nil || again != string(text) {
			t.Errorf("%s is not as make recording writes it: %v", file, err)
		}
		shows, err := os.ReadFile(filepath.Join(clone, "docs", "tutorials", name+".md"))
		if err != nil {
			t.Fatal(err)
		}
		if err := differs(cast, stepsOf(t, string(shows))); err != nil {
			t.Errorf("%s is not what docs/tutorials/%s.md shows (make recording records it anew): %v", file, name, err)
		}
		if _, end := cast.lines(); end > 75*time.Second {
			t.Errorf("%s takes %s", file, end)
		}
		picture, err := os.ReadFile(strings.TrimSuffix(file, ".cast") + ".svg")
		if err != nil {
			t.Fatal(err)
		}
		if string(picture) != Draw(cast) {
			t.Errorf("the picture of %s is of another recording (go run ./test/recording -draw draws it anew)", file)
		}
		if len(text) > 200_000 || len(picture) > 200_000 {
			t.Errorf("%s has %d bytes, and its picture %d", file, len(text), len(picture))
		}
	}
}

// TestPlay types commands, waits where the page says so, and refuses what the page does not show.
func TestPlay(t *testing.T) {
	cast, err := played(t, page)
	if err != nil {
		t.Fatal(err)
	}
	if err := differs(cast, stepsOf(t, page)); err != nil {
		t.Error(err)
	}
	for name, text := range map[string]string{
		"another output":       strings.Replace(page, "<12s>\n$", "<13>\n$", 1),
		"a command that fails": strings.Replace(page, "$ true", "$ false", 1),
	} {
		if _, err := played(t, text); err == nil {
			t.Errorf("%s was recorded", name)
		}
	}
}

func TestDiffers(t *testing.T) {
	for name, tc := range map[string]struct{ from, to, want string }{
		"another age":          {from: "<12s>\n$", to: "<1m3s>\n$"},
		"another output":       {from: "<12s>\n$", to: "<12>\n$", want: "line 6 of the page: cat web.yaml"},
		"another command":      {from: "$ true", to: "$ false", want: `line 10 of the page has "false", and what is recorded there is "true"`},
		"another file":         {from: "yaml web.yaml", to: "yaml app.yaml", want: "line 3 of the page has"},
		"a command more":       {from: "$ true", to: "$ true\n$ date", want: `line 11 of the page has "date"`},
		"a command at the end": {from: "< asked\n3\n", to: "< asked\n3\n$ date\n", want: "is not recorded: date"},
		"a command less":       {from: "'''console wait\n$ echo more >> asked && wc -l < asked\n3\n'''\n", want: `recorded is "echo more`},
	} {
		t.Run(name, func(t *testing.T) {
			cast, err := played(t, page)
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(page, tc.from, tc.to, 1)
			if changed == page {
				t.Fatalf("%q is not in the page", tc.from)
			}
			err = differs(cast, stepsOf(t, changed))
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestCast(t *testing.T) {
	want := Cast{Header: Header{Version: 2, Width: 80, Height: 24, Title: "<a>", IdleTimeLimit: 2}, Events: []Event{
		{At: 0, Kind: marker, Text: "true"}, {At: 35 * time.Millisecond, Kind: output, Text: "$ true\r\n"},
		{At: 9 * time.Second, Kind: output, Text: "\"é\""},
	}}
	text, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	have, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	if at := have.shown()[2].At; at != 2035*time.Millisecond {
		t.Errorf("after a long pause something is shown at %s", at)
	}
	for _, text := range []string{"", "{}", `{"version":1}`, "[]", "{\"version\":2}\n[1,\"o\"]", "{\"version\":2}\n{}"} {
		if _, err := Decode(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

// TestDraw: the picture is XML, holds each line once, in the order and time of the terminal, and ends where the terminal ends.
func TestDraw(t *testing.T) {
	cast, err := played(t, page)
	if err != nil {
		t.Fatal(err)
	}
	picture := Draw(cast)
	var texts []string
	parser := xml.NewDecoder(strings.NewReader(picture))
	inText := false
	for {
		token, err := parser.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("it is no XML: %v\n%s", err, picture)
		}
		switch token := token.(type) {
		case xml.StartElement:
			inText = token.Name.Local == "text"
		case xml.CharData:
			if inText {
				texts = append(texts, string(token))
			}
		case xml.EndElement:
			inText = false
		}
	}
	want := []string{
		"# web.yaml is saved as the pag", "e shows it", `$ cat web.yaml && \`, ">   echo '<12s>'", "kind: Deployment", "<12s>", "$ true",
		"$ echo more >> asked && wc -l ", "< asked", "3",
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Error(diff)
	}
	// Ten lines in a terminal of five rows.
	if !strings.Contains(picture, "#all{transform:translateY(-90px)}") {
		t.Errorf("the end is not at the end:\n%s", picture)
	}
}
