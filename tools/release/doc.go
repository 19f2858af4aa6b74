// Command release packs argosyctl for people's machines.
//
// It reads bin/<os>-<arch>/argosyctl and writes into the folder of -out
//
//	argosyctl_<version>_<os>_<arch>.tar.gz   the program, LICENSE, and kubectl_complete-argosy for kubectl's completion
//	checksums.txt                            their SHA-256, as sha256sum -c reads it
//	argosy.yaml                              a manifest for krew, kubectl's plugin manager
//
// The same binaries, version and time give the same bytes on any machine.
package main
