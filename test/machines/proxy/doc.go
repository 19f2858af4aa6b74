// Package proxy runs real HAProxies, of Debian's packages, for stories: their runtime API and their clients are at sockets of a folder of
// their own, so that many run beside each other.
package proxy
