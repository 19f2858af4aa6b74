// Command release packs argosyctl for people's machines, and gathers what else a release consists of.
//
// It reads bin/<os>-<arch>/argosyctl and /argosy-estimator, the charts of tools/chart and the images of tools/images, and writes into the
// folder of -out
//
//	argosyctl_<version>_<os>_<arch>.tar.gz          the program, LICENSE, and kubectl_complete-argosy for kubectl's completion
//	argosy-estimator_<version>_<os>_<arch>.tar.gz   what argosyctl fit asks, and LICENSE
//	argosy-<version>.tgz, argosy-member-<version>.tgz
//	<program>_<version>_image.tar                   an OCI archive of all architectures, and beside it for each of them
//	<program>_<version>_image_<arch>.cdx.json       the bill of materials
//	image-digests.txt                               the digest by which each image is pulled, wherever it is copied to
//	checksums.txt                                   the SHA-256 of all these, as sha256sum -c reads it
//	argosy.yaml                                     a manifest for krew, kubectl's plugin manager
//
// The same input, version and time give the same bytes on any machine.
package main
