package iaas

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Cut a machine's network, as seen from here, until Mend: nobody reaches its address, and its driver goes on saying that it runs.
// Connections that stand may stay.
func Cut(address string) error { return unreachable(address, unix.RTM_NEWROUTE, unix.NLM_F_CREATE) }

// Mend what Cut cut.
func Mend(address string) error { return unreachable(address, unix.RTM_DELROUTE, 0) }

// unreachable adds, or takes off, a route of one address that leads nowhere: it is narrower than that of all the lab's machines.
func unreachable(address string, verb, flags uint16) error {
	ip, err := netip.ParseAddr(address)
	if err != nil || !ip.Is4() {
		return fmt.Errorf("cutting off %q: it is no address of the lab's", address)
	}
	four := ip.As4()
	body := []byte{
		unix.AF_INET, 32, 0, 0, unix.RT_TABLE_LOCAL, unix.RTPROT_BOOT, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNREACHABLE, 0, 0, 0, 0,
		8, 0, unix.RTA_DST, 0, four[0], four[1], four[2], four[3],
	}
	request := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(body))
	binary.NativeEndian.PutUint32(request[0:], uint32(unix.SizeofNlMsghdr+len(body)))
	binary.NativeEndian.PutUint16(request[4:], verb)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK|flags)
	if err := ask(append(request, body...)); err != nil {
		return fmt.Errorf("changing the route of %s: %w", address, err)
	}
	return nil
}
