package binaries

import (
	"fmt"
	"io"
	"strings"
	"time"

	"k8s.io/utils/clock"
)

// progressEvery keeps a log of a long build short and a person's patience long.
const progressEvery = 10 * time.Second

// buildProgress condenses the go command's chatter - one line for each module fetched and each
// package compiled - to one line every few seconds.
type buildProgress struct {
	out        io.Writer
	clock      clock.PassiveClock
	start      time.Time
	shown      time.Time
	downloaded int
	compiled   int
}

func newBuildProgress(out io.Writer, c clock.PassiveClock) *buildProgress {
	now := c.Now()
	return &buildProgress{out: out, clock: c, start: now, shown: now}
}

func (p *buildProgress) elapsed() time.Duration { return p.clock.Since(p.start) }

func (p *buildProgress) line(line string) {
	if strings.HasPrefix(line, "go: downloading") {
		p.downloaded++
	} else {
		p.compiled++
	}
	now := p.clock.Now()
	if now.Sub(p.shown) < progressEvery {
		return
	}
	p.shown = now
	fmt.Fprintf(p.out, "    %3.0f s: %d modules downloaded, %d packages compiled; at %s\n",
		now.Sub(p.start).Seconds(), p.downloaded, p.compiled, strings.TrimPrefix(line, "go: downloading "))
}
