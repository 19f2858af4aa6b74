// Command images packs static binaries into OCI images, without a container engine.
//
// It reads bin/<os>-<arch>/<program>, one file per program and platform, and writes for each program
//
//	<out>/<program>/             an OCI image layout: one index, one image per platform
//	<out>/<program>.tar          the same as one archive, for docker load, skopeo and crane
//	<out>/<program>-<arch>.cdx.json   the bill of materials that is also inside the image
//
// and <out>/digests.txt. The same binaries, version and time give the same digests on any machine:
// nothing of the clock, of the user or of the order of a map enters an image.
package main
