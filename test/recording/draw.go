package main

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// The picture's measures, in pixels: a character of a 13 pixel font, and what is left free around.
const (
	charWidth  = 7.83
	lineHeight = 18
	margin     = 14
	fontSize   = 13
)

// stays is how long the end is seen before it begins anew.
const stays = 4 * time.Second

// line of the terminal, and when it is seen first.
type line struct {
	text string
	at   time.Duration
}

// Draw is the recording as a moving picture. Each line of the terminal is text that appears in its time, and all of them move up when the
// lowest row is full. Who asked for less motion, and a reader that moves nothing, sees the end.
func Draw(cast Cast) string {
	lines, end := cast.lines()
	end += stays
	percent := func(at time.Duration) string { return fmt.Sprintf("%.2f%%", 100*at.Seconds()/end.Seconds()) }
	width, height := float64(cast.Header.Width)*charWidth+2*margin, cast.Header.Height*lineHeight+2*margin

	var rules, texts, moves strings.Builder
	up := 0
	for i, l := range lines {
		if over := i + 1 - cast.Header.Height; over > 0 {
			up = over * lineHeight
			fmt.Fprintf(&moves, "%s{transform:translateY(%dpx)}", percent(l.at), -up)
		}
		if l.text == "" {
			continue
		}
		fmt.Fprintf(&rules, "@keyframes l%d{0%%{visibility:hidden}%s{visibility:visible}}#l%d{animation-name:l%d}\n", i, percent(l.at), i, i)
		class := ""
		if strings.HasPrefix(l.text, prompt) || strings.HasPrefix(l.text, "# ") {
			class = ` class="c"`
		}
		fmt.Fprintf(&texts, "<text id=\"l%d\"%s x=\"%d\" y=\"%d\">%s</text>\n", i, class, margin, margin+fontSize+i*lineHeight, escaped(l.text))
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" viewBox="0 0 %.0f %d" role="img">
<title>%s</title>
<style>
text{font:%dpx ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#d0d7de;white-space:pre}
.c{fill:#7ee787}
#all{transform:translateY(%dpx)}
@media (prefers-reduced-motion:no-preference){
text,#all{animation-duration:%.2fs;animation-timing-function:step-end;animation-iteration-count:infinite}
@keyframes all{0%%{transform:translateY(0)}%s}#all{animation-name:all}
%s}
</style>
<rect width="100%%" height="100%%" rx="8" fill="#161b22"/>
<svg x="0" y="%d" width="%.0f" height="%d" viewBox="0 %d %.0f %d"><g id="all">
%s</g></svg>
</svg>
`, width, height, width, height, escaped(cast.Header.Title), fontSize, -up, end.Seconds(), moves.String(), rules.String(),
		margin, width, height-2*margin, margin, width, height-2*margin, texts.String())
}

// lines are what the terminal showed, as wide as it is, and when the last came. A command is seen when it was typed.
func (c Cast) lines() ([]line, time.Duration) {
	var out []line
	var end time.Duration
	rest := ""
	add := func(text string, at time.Duration) {
		left := []rune(text)
		for len(left) > c.Header.Width {
			out = append(out, line{string(left[:c.Header.Width]), at})
			left = left[c.Header.Width:]
		}
		out = append(out, line{string(left), at})
	}
	for _, event := range c.shown() {
		end = event.At
		if event.Kind != output {
			continue
		}
		parts := strings.Split(rest+event.Text, newline)
		for _, part := range parts[:len(parts)-1] {
			add(part, event.At)
		}
		rest = parts[len(parts)-1]
	}
	if rest != "" {
		add(rest, end)
	}
	return out, end
}

func escaped(text string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(text)) // a Builder takes everything
	return out.String()
}
