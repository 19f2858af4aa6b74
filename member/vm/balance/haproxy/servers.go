package haproxy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/argosy-dev/argosy/member/vm/balance"
)

// word is what HAProxy takes as a name. Anything else could end a command and begin another.
var word = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,320}$`)

// prefix of the servers of an owner of a cluster: those without it are others'.
func prefix(pool balance.Pool) string {
	sum := sha256.Sum256([]byte(pool.Cluster + "/" + pool.Owner))
	return "argosy:" + hex.EncodeToString(sum[:4]) + ":"
}

// Bits of srv_admin_state (HAProxy's management guide, "show servers state").
const (
	adminForcedDrain = 0x08
	adminReady       = 0
)

// server as an instance shows it.
type server struct {
	balance.Member
	admin int
}

// columns of "show servers state" that are read.
var columns = []string{"srv_name", "srv_addr", "srv_port", "srv_admin_state", "srv_uweight"}

// servers of the owner in the pool.
func (s socket) servers(ctx context.Context, pool balance.Pool) (map[string]server, error) {
	answer, err := s.run(ctx, "show servers state "+pool.Name)
	if err != nil {
		return nil, err
	}
	if answer == "Can't find backend." {
		return nil, fmt.Errorf("HAProxy at %s has no backend %s: %w", s, pool.Name, balance.ErrNoPool)
	}
	return parse(answer, prefix(pool))
}

// parse version 1 of the state: a line with the version, one that names the columns, and one for each server.
func parse(answer, prefix string) (map[string]server, error) {
	lines := strings.Split(answer, "\n")
	if len(lines) < 2 || lines[0] != "1" || !strings.HasPrefix(lines[1], "# ") {
		return nil, fmt.Errorf("the state of servers is of no version that is known: %q", answer[:min(len(answer), 128)])
	}
	at := map[string]int{}
	for i, name := range strings.Fields(strings.TrimPrefix(lines[1], "# ")) {
		at[name] = i
	}
	for _, name := range columns {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("the state of servers has no column %s", name)
		}
	}
	out := map[string]server{}
	for _, line := range lines[2:] {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) < len(at) {
			return nil, fmt.Errorf("the state of servers breaks off: %q", line)
		}
		id, ours := strings.CutPrefix(fields[at["srv_name"]], prefix)
		if !ours {
			continue
		}
		port, err1 := strconv.ParseInt(fields[at["srv_port"]], 10, 32)
		weight, err2 := strconv.ParseInt(fields[at["srv_uweight"]], 10, 32)
		admin, err3 := strconv.Atoi(fields[at["srv_admin_state"]])
		if err1 != nil || err2 != nil || err3 != nil {
			return nil, fmt.Errorf("the state of a server has no numbers where they should be: %q", line)
		}
		out[id] = server{admin: admin, Member: balance.Member{
			ID: id, Address: fields[at["srv_addr"]], Port: int32(port), Weight: int32(weight), Draining: admin&adminForcedDrain != 0,
		}}
	}
	return out, nil
}

// check that a member can be named and reached.
func check(m balance.Member) error {
	ip, err := netip.ParseAddr(m.Address)
	switch {
	case !word.MatchString(m.ID):
		return fmt.Errorf("member %q is no name that HAProxy takes: %w", m.ID, balance.ErrInvalid)
	case err != nil || ip.Zone() != "" || ip.IsUnspecified():
		return fmt.Errorf("member %s: %q is no IP address: %w", m.ID, m.Address, balance.ErrInvalid)
	case m.Port < 1 || m.Port > 65535 || m.Weight < 0 || m.Weight > 100:
		return fmt.Errorf("member %s: port %d or weight %d is out of range: %w", m.ID, m.Port, m.Weight, balance.ErrInvalid)
	}
	return nil
}
