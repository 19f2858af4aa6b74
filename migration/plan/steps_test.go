package plan

import (
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// Each step is in a file of its own, named after its way and itself, so that whoever reads the name of a step in a log knows where it is.
func TestEachStepHasItsFile(t *testing.T) {
	files := map[string]string{}
	for name, way := range map[string][]step{"arrive": arrive, "prepare": prepare, "stay": stay, "depart": depart, "leave": leave} {
		for _, one := range way {
			if name != "prepare" && slices.ContainsFunc(prepare, func(other step) bool { return other.name == one.name }) {
				continue
			}
			at := reflect.ValueOf(one.run).Pointer()
			path, _ := runtime.FuncForPC(at).FileLine(at)
			file := filepath.Base(path)
			want := name + "_" + strings.ReplaceAll(strings.TrimPrefix(one.name, name+"-"), "-", "_") + ".go"
			if file != want && file != one.name+".go" {
				t.Errorf("step %s of %s is in %s, want %s", one.name, name, file, want)
			}
			if other, taken := files[file]; taken && other != one.name {
				t.Errorf("steps %s and %s are both in %s", one.name, other, file)
			}
			files[file] = one.name
		}
	}
	if len(files) < 30 {
		t.Errorf("%d steps were looked at: the test no longer finds them", len(files))
	}
}
