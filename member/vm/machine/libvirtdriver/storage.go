package libvirtdriver

import (
	"fmt"
	"net/netip"

	"github.com/digitalocean/go-libvirt"
	corev1 "k8s.io/api/core/v1"
	"libvirt.org/go/libvirtxml"

	"github.com/argosy-dev/argosy/member/vm/machine"
)

// Params that the driver knows, for images that are not started from their own boot sector: volumes of the pool of images, and the kernel's
// command line.
const (
	ParamKernel  = "kernel"
	ParamInitrd  = "initrd"
	ParamCmdline = "cmdline"
)

// image of the pool of images; one that is not there is refused for good.
func (d *Driver) image(l *libvirt.Libvirt, name string) (libvirt.StorageVol, string, error) {
	pool, err := l.StoragePoolLookupByName(d.Images)
	if err != nil {
		return libvirt.StorageVol{}, "", fmt.Errorf("looking for the pool of images: %w", err)
	}
	volume, err := l.StorageVolLookupByName(pool, name)
	if said(err, libvirt.ErrNoStorageVol) {
		return volume, "", fmt.Errorf("pool %s has no image %q: %w", d.Images, name, machine.ErrInvalid)
	}
	if err != nil {
		return volume, "", fmt.Errorf("looking for image %q: %w", name, err)
	}
	path, err := l.StorageVolGetPath(volume)
	return volume, path, err
}

// boot says what the machine starts: its disk, or a kernel of the pool of images.
func (d *Driver) boot(l *libvirt.Libvirt, spec machine.Spec) (libvirtxml.DomainOS, error) {
	out := libvirtxml.DomainOS{}
	for name, value := range spec.Params {
		switch name {
		case ParamCmdline:
			out.Cmdline = string(value)
		case ParamKernel, ParamInitrd:
			_, path, err := d.image(l, string(value))
			if err != nil {
				return out, err
			}
			if name == ParamKernel {
				out.Kernel = path
			} else {
				out.Initrd = path
			}
		default:
			return out, fmt.Errorf("params: %q is none of %s, %s, %s: %w", name, ParamKernel, ParamInitrd, ParamCmdline, machine.ErrInvalid)
		}
	}
	if out.Kernel == "" {
		out.BootDevices = []libvirtxml.DomainBootDevice{{Dev: "hd"}}
	}
	return out, nil
}

// disk of a machine: a volume over its image, as large as the image or as resources say.
func (d *Driver) disk(l *libvirt.Libvirt, key string, spec machine.Spec) error {
	volume, path, err := d.image(l, spec.Image)
	if err != nil {
		return err
	}
	pool, err := l.StoragePoolLookupByName(d.Pool)
	if err != nil {
		return fmt.Errorf("looking for the pool of disks: %w", err)
	}
	if _, err := l.StorageVolLookupByName(pool, volumeOf(key)); err == nil {
		return nil
	} else if !said(err, libvirt.ErrNoStorageVol) {
		return fmt.Errorf("looking for the disk: %w", err)
	}
	_, capacity, _, err := l.StorageVolGetInfo(volume)
	if err != nil {
		return fmt.Errorf("looking at image %q: %w", spec.Image, err)
	}
	if wanted, ok := spec.Resources[corev1.ResourceEphemeralStorage]; ok && wanted.Value() > 0 {
		capacity = max(capacity, uint64(wanted.Value()))
	}
	text, err := l.StorageVolGetXMLDesc(volume, 0)
	if err != nil {
		return fmt.Errorf("looking at image %q: %w", spec.Image, err)
	}
	is := libvirtxml.StorageVolume{}
	if err := is.Unmarshal(text); err != nil {
		return fmt.Errorf("reading about image %q: %w", spec.Image, err)
	}
	made := libvirtxml.StorageVolume{
		Name: volumeOf(key), Capacity: &libvirtxml.StorageVolumeSize{Unit: "bytes", Value: capacity},
		Allocation:   &libvirtxml.StorageVolumeSize{Unit: "bytes", Value: 0},
		Target:       &libvirtxml.StorageVolumeTarget{Format: &libvirtxml.StorageVolumeTargetFormat{Type: "qcow2"}},
		BackingStore: &libvirtxml.StorageVolumeBackingStore{Path: path},
	}
	if is.Target != nil && is.Target.Format != nil {
		made.BackingStore.Format = is.Target.Format
	}
	if text, err = made.Marshal(); err != nil {
		return fmt.Errorf("writing the disk: %w", err)
	}
	if _, err := l.StorageVolCreateXML(pool, text, 0); err != nil && !said(err, libvirt.ErrStorageVolExist) {
		return fmt.Errorf("making the disk: %w", err)
	}
	return nil
}

func (d *Driver) removeDisk(l *libvirt.Libvirt, key string) error {
	pool, err := l.StoragePoolLookupByName(d.Pool)
	if err != nil {
		return fmt.Errorf("looking for the pool of disks: %w", err)
	}
	volume, err := l.StorageVolLookupByName(pool, volumeOf(key))
	if said(err, libvirt.ErrNoStorageVol) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for the disk: %w", err)
	}
	if err := l.StorageVolDelete(volume, 0); err != nil && !said(err, libvirt.ErrNoStorageVol) {
		return fmt.Errorf("removing the disk: %w", err)
	}
	return nil
}

// usable addresses lead to the machine from elsewhere.
func usable(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && !ip.IsLoopback() && !ip.IsUnspecified() && !ip.IsLinkLocalUnicast() && !ip.IsMulticast()
}
