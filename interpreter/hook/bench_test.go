package hook

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

// BenchmarkServeHTTP is one question without the network: reading, rule, answer, metrics.
func BenchmarkServeHTTP(b *testing.B) {
	object, err := os.ReadFile("../../test/bench/testdata/cloneset.json")
	if err != nil {
		b.Fatal(err)
	}
	h := newHandler(b, dividerFunc(noBinding))
	for operation, more := range map[string]string{
		"InterpretReplica": "", "ReviseReplica": `,"replicas":4`, "Retain": `,"observedObject":` + string(object),
		"InterpretStatus": "", "InterpretHealth": "", "InterpretDependency": "",
	} {
		body := []byte(contextOf(operation, string(object), more))
		b.Run(operation, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				recorder := httptest.NewRecorder()
				h.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, Path, bytes.NewReader(body)))
			}
		})
	}
}
