package libvirtdriver

import (
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/digitalocean/go-libvirt"
	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"libvirt.org/go/libvirtxml"

	"github.com/argosy-dev/argosy/member/vm/machine"
)

const (
	// space is the XML namespace of what the driver writes into metadata.
	space  = "https://argosy.dev/vm/libvirt/1"
	prefix = "argosy"
	// livePrefix and gonePrefix begin the names of domains: of machines, and of keys that make none any more.
	livePrefix = "argosy-"
	gonePrefix = "argosy-removed-"
)

// keys that names of domains and volumes can bear.
var keys = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// idOf a key: itself, where it is a UUID already.
func idOf(key string) libvirt.UUID {
	if id, err := uuid.Parse(key); err == nil {
		return libvirt.UUID(id)
	}
	return libvirt.UUID(uuid.NewSHA1(uuid.NameSpaceURL, []byte(space+"/machine/"+key)))
}

// tombstoneOf a key is the UUID of the domain that says that it was removed.
func tombstoneOf(key string) libvirt.UUID {
	return libvirt.UUID(uuid.NewSHA1(uuid.NameSpaceURL, []byte(space+"/removed/"+key)))
}

// stage of a machine.
type stage string

const (
	// defined: its domain was never seen to run.
	defined stage = "defined"
	// started: it was.
	started stage = "started"
	// stopped: it was told to stop, and nobody starts it again.
	stopped stage = "stopped"
	// removed: it is a tombstone.
	removed stage = "removed"
)

// mark is what the driver writes into the metadata of a domain.
type mark struct {
	Key      string `xml:"key,attr"`
	Owner    string `xml:"owner,attr"`
	Name     string `xml:"name,attr"`
	Sequence int64  `xml:"sequence,attr"`
	Stage    stage  `xml:"stage,attr"`
	// HostKey is the public host key that the machine was given; empty for one of before there were any.
	HostKey string `xml:"hostKey,attr"`
}

// element of metadata, with or without the prefix that libvirt puts there by itself.
func (m mark) element(prefixed bool) string {
	name, declared := "machine", ""
	if prefixed {
		name, declared = prefix+":machine", fmt.Sprintf(` xmlns:%s=%q`, prefix, space)
	}
	return fmt.Sprintf(`<%s%s key="%s" owner="%s" name="%s" sequence="%d" stage="%s" hostKey="%s"/>`,
		name, declared, escape(m.Key), escape(m.Owner), escape(m.Name), m.Sequence, m.Stage, escape(m.HostKey))
}

func escape(text string) string {
	var out strings.Builder
	if err := xml.EscapeText(&out, []byte(text)); err != nil {
		return "" // a Builder takes everything
	}
	return out.String()
}

func parseMark(text string) (mark, error) {
	out := mark{}
	if err := xml.Unmarshal([]byte(text), &out); err != nil {
		return mark{}, fmt.Errorf("the metadata of a domain cannot be read: %w", err)
	}
	return out, nil
}

// size of a machine.
type size struct {
	cores uint
	bytes uint64
}

func sizeOf(spec machine.Spec) (size, error) {
	out := size{cores: 1, bytes: 1 << 30}
	if cpu, ok := spec.Resources[corev1.ResourceCPU]; ok {
		if cpu.MilliValue() <= 0 || cpu.Value() > 1024 {
			return size{}, fmt.Errorf("resources.cpu %s is no number of cores: %w", cpu.String(), machine.ErrInvalid)
		}
		out.cores = uint(cpu.Value()) // rounded up
	}
	if memory, ok := spec.Resources[corev1.ResourceMemory]; ok {
		if memory.Value() < 1<<20 {
			return size{}, fmt.Errorf("resources.memory %s is less than a machine can run with: %w", memory.String(), machine.ErrInvalid)
		}
		out.bytes = uint64(memory.Value())
	}
	return out, nil
}

// domain of a machine, as libvirt takes it.
func (d *Driver) domain(key string, spec machine.Spec, m *mark, boot libvirtxml.DomainOS) (string, error) {
	size, err := sizeOf(spec)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(spec.UserData) {
		return "", fmt.Errorf("the user data are no text: %w", machine.ErrInvalid)
	}
	private, public, err := newHostKey()
	if err != nil {
		return "", err
	}
	m.HostKey = public
	told := []libvirtxml.DomainSysInfoEntry{{Name: fileHostKey, Value: private}}
	if len(spec.UserData) > 0 {
		told = append(told, libvirtxml.DomainSysInfoEntry{Name: fileUserData, Value: string(spec.UserData)})
	}
	boot.Type = &libvirtxml.DomainOSType{Type: "hvm"}
	out := libvirtxml.Domain{
		Type: d.Type, Name: livePrefix + key, UUID: uuid.UUID(idOf(key)).String(), Title: spec.Name,
		Metadata: &libvirtxml.DomainMetadata{XML: m.element(true)},
		Memory:   &libvirtxml.DomainMemory{Value: uint(size.bytes >> 10), Unit: "KiB"}, VCPU: &libvirtxml.DomainVCPU{Value: size.cores},
		// Linux finds what the firmware tells it, user data and host key, by ACPI alone.
		Features: &libvirtxml.DomainFeatureList{ACPI: &libvirtxml.DomainFeature{}},
		OS:       &boot, OnPoweroff: "destroy", OnReboot: "restart", OnCrash: "destroy",
		Devices: &libvirtxml.DomainDeviceList{
			Disks: []libvirtxml.DomainDisk{{
				Device: "disk", Driver: &libvirtxml.DomainDiskDriver{Name: "qemu", Type: "qcow2"},
				Source: &libvirtxml.DomainDiskSource{Volume: &libvirtxml.DomainDiskSourceVolume{Pool: d.Pool, Volume: volumeOf(key)}},
				Target: &libvirtxml.DomainDiskTarget{Dev: "vda", Bus: "virtio"},
			}},
			Interfaces: []libvirtxml.DomainInterface{{
				MAC:    &libvirtxml.DomainInterfaceMAC{Address: macOf(key)},
				Source: &libvirtxml.DomainInterfaceSource{Network: &libvirtxml.DomainInterfaceSourceNetwork{Network: d.network(spec)}},
				Model:  &libvirtxml.DomainInterfaceModel{Type: "virtio"},
			}},
		},
	}
	out.SysInfo = []libvirtxml.DomainSysInfo{{FWCfg: &libvirtxml.DomainSysInfoFWCfg{Entry: told}}}
	text, err := out.Marshal()
	if err != nil {
		return "", fmt.Errorf("writing a domain: %w", err)
	}
	return text, nil
}

// tombstone of a key: a domain that has nothing and never runs.
func (d *Driver) tombstone(key string) (string, error) {
	out := libvirtxml.Domain{
		Type: d.Type, Name: gonePrefix + key, UUID: uuid.UUID(tombstoneOf(key)).String(),
		Title:    "removed: no machine is made under this key any more",
		Metadata: &libvirtxml.DomainMetadata{XML: mark{Key: key, Stage: removed}.element(true)},
		Memory:   &libvirtxml.DomainMemory{Value: 1024, Unit: "KiB"}, VCPU: &libvirtxml.DomainVCPU{Value: 1},
		OS: &libvirtxml.DomainOS{Type: &libvirtxml.DomainOSType{Type: "hvm"}},
	}
	text, err := out.Marshal()
	if err != nil {
		return "", fmt.Errorf("writing a domain: %w", err)
	}
	return text, nil
}

func volumeOf(key string) string { return livePrefix + key + ".qcow2" }

// macOf a key, in the range of QEMU's own addresses.
func macOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return fmt.Sprintf("52:54:00:%02x:%02x:%02x", sum[0], sum[1], sum[2])
}

// invalid are the refusals that asking again does not change.
var invalid = []libvirt.ErrorNumber{
	libvirt.ErrXMLError, libvirt.ErrXMLDetail, libvirt.ErrXMLInvalidSchema, libvirt.ErrConfigUnsupported, libvirt.ErrInvalidArg,
}

// said says whether libvirt answered with one of these.
func said(err error, numbers ...libvirt.ErrorNumber) bool {
	var answer libvirt.Error
	if !errors.As(err, &answer) {
		return false
	}
	for _, n := range numbers {
		if answer.Code == uint32(n) {
			return true
		}
	}
	return false
}
