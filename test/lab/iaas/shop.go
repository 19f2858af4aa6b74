package iaas

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// StoreName is what machines call this host, which has the store of artifacts at StorePort.
const (
	StoreName = "artifacts.example.com"
	StorePort = "8077"
)

// beService has this program be the lab's service, at an address; see serveShop.
const beService = "ARGOSY_LAB_SERVICE"

// restart of the lab's service. The first process of a machine is the lab's own program, which has the service in it.
const restart = `#!/bin/sh
set -eu
run=${ARGOSY_ROOT:-}/run
mkdir -p "$run"
if [ -f "$run/shop.pid" ]; then kill -9 "$(cat "$run/shop.pid")" 2>/dev/null || :; fi
ARGOSY_LAB_SERVICE=:8080 SHOP=$(pwd -P) setsid /proc/1/exe </dev/null >"$run/shop.log" 2>&1 &
echo $! >"$run/shop.pid"
`

// artifact is a tar of files; the same files are the same bytes.
func artifact(files map[string]string) []byte {
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &tar.Header{Name: name, Mode: 0o755, Size: int64(len(files[name])), Format: tar.FormatUSTAR}
		if err := writer.WriteHeader(header); err != nil {
			panic(err) // a name of our own
		}
		if _, err := writer.Write([]byte(files[name])); err != nil {
			panic(err) // as above
		}
	}
	if err := writer.Close(); err != nil {
		panic(err) // as above
	}
	return out.Bytes()
}

// Artifacts of the lab's store, by path: releases of the service shop, of which 1.1.0 comes up sick, and two packages jdk.
func Artifacts() map[string][]byte {
	out := map[string][]byte{}
	for version, health := range map[string]string{"1.0.0": "well", "1.1.0": "sick", "1.2.0": "well"} {
		out["/shop/"+version+".tar"] = artifact(map[string]string{"bin/restart": restart, "version": version + "\n", "health": health + "\n"})
	}
	for _, version := range []string{"21.0.2", "21.0.3"} {
		out["/jdk/"+version+".tar"] = artifact(map[string]string{"jdk-" + version + "/release": version + "\n"})
	}
	return out
}

// Artifact is where machines fetch a file of the store, and its checksum; "" for one that is not there.
func Artifact(file string) (source, checksum string) {
	text, ok := Artifacts()[file]
	if !ok {
		return "", ""
	}
	sum := sha256.Sum256(text)
	return "http://" + net.JoinHostPort(StoreName, StorePort) + file, "sha256:" + hex.EncodeToString(sum[:])
}

func store() http.Handler {
	files := Artifacts()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := files[path.Clean(r.URL.Path)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(text)
	})
}

// serveShop at an address. It says which release it is of, on which machine, beside which jdk; /healthz is what the release's file health
// says, unless the machine has a file /tmp/sick.
func serveShop(at string) error {
	root, release := os.Getenv("ARGOSY_ROOT"), os.Getenv("SHOP")
	read := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			return "none"
		}
		return strings.TrimSpace(string(text))
	}
	name, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("asking for this machine's name: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "shop %s, jdk %s, %s\n", read(filepath.Join(release, "version")), read(root+"/opt/jdk/release"), name)
	})
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if read(root+"/tmp/sick") != "none" || read(filepath.Join(release, "health")) != "well" {
			http.Error(w, "sick", http.StatusInternalServerError)
		}
	})
	server := &http.Server{Addr: at, Handler: mux, ReadHeaderTimeout: time.Minute}
	var listener net.Listener
	// The one before may be going still.
	err = wait.PollUntilContextTimeout(context.Background(), 100*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		var err error
		listener, err = net.Listen("tcp", at)
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("listening at %s, which is taken: %w", at, err)
	}
	return server.Serve(listener)
}
