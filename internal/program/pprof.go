package program

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
)

// ProfilesFlag adds --pprof-bind-address to a program's flags. Profiles show what a process works on: they are served only on demand, and
// without a host in the address to nobody but this machine.
func ProfilesFlag(flags *flag.FlagSet, address *string) {
	flags.Func("pprof-bind-address", "serve /debug/pprof at this `host:port`; without a host at the loopback address, empty means not at all",
		func(given string) (err error) {
			*address, err = profilesAddress(given)
			return err
		})
}

func profilesAddress(given string) (string, error) {
	if given == "" {
		return "", nil
	}
	host, port, err := net.SplitHostPort(given)
	if err != nil {
		return "", err
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("port %q is no number up to 65535", port)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// Profiles serves /debug/pprof, for a program that has no manager of controller-runtime to do it.
func Profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
