package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("images", flag.ContinueOnError)
	bin := flags.String("bin", "", "folder that holds <os>-<arch>/<program>")
	dir := flags.String("out", "", "folder to write to; what it holds of these programs is replaced")
	programs := flags.String("programs", "", "comma separated programs, one image each")
	platforms := flags.String("platforms", "linux/amd64,linux/arm64", "comma separated platforms")
	version := flags.String("version", "", "version label, and the name of the index in its layout")
	revision := flags.String("revision", "", "commit label")
	created := flags.String("created", "0", "creation time in seconds since 1970: the commit's, so that a rebuild is equal")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *bin == "" || *dir == "" || *programs == "" || *version == "" {
		return fmt.Errorf("-bin, -out, -programs and -version are needed")
	}
	seconds, err := strconv.ParseInt(*created, 10, 64)
	if err != nil {
		return fmt.Errorf("-created %q: want seconds since 1970: %w", *created, err)
	}
	b := build{bin: *bin, out: *dir, version: *version, revision: *revision, created: time.Unix(seconds, 0).UTC()}
	for _, name := range strings.Split(*platforms, ",") {
		os, arch, ok := strings.Cut(name, "/")
		if !ok {
			return fmt.Errorf("-platforms %q: want os/arch", name)
		}
		b.platforms = append(b.platforms, platform{os: os, arch: arch})
	}
	return b.all(strings.Split(*programs, ","), out)
}
