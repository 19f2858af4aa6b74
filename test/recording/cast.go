package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// The size of the terminal that is played, in characters.
const (
	columns = 118
	rows    = 30
)

// idle is the longest pause that is shown; a player cuts longer ones, whose true length the recording keeps.
const idle = 2 * time.Second

// Cast is a recording in the format asciicast, version 2 (https://docs.asciinema.org/manual/asciicast/v2/): one JSON value a line.
type Cast struct {
	Header Header
	Events []Event
}

// Header is the first line.
type Header struct {
	Version int    `json:"version"`
	Width   int    `json:"width"`
	Height  int    `json:"height"`
	Title   string `json:"title"`
	// IdleTimeLimit in seconds.
	IdleTimeLimit float64 `json:"idle_time_limit"`
}

// The kinds of events that are recorded.
const (
	output = "o" // what the terminal shows
	marker = "m" // where a command begins: its text
)

// Event is something that happened At after the beginning.
type Event struct {
	At   time.Duration
	Kind string
	Text string
}

// Encode writes a recording as it is stored.
func (c Cast) Encode() (string, error) {
	var out strings.Builder
	lines := json.NewEncoder(&out)
	lines.SetEscapeHTML(false)
	if err := lines.Encode(c.Header); err != nil {
		return "", fmt.Errorf("writing the header: %w", err)
	}
	for _, event := range c.Events {
		if err := lines.Encode([]any{event.At.Round(time.Millisecond).Seconds(), event.Kind, event.Text}); err != nil {
			return "", fmt.Errorf("writing an event: %w", err)
		}
	}
	return out.String(), nil
}

// Decode reads one; what is not of this form is an error that names the line.
func Decode(text string) (Cast, error) {
	var cast Cast
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for number := 1; lines.Scan(); number++ {
		if number == 1 {
			if err := json.Unmarshal(lines.Bytes(), &cast.Header); err != nil {
				return cast, fmt.Errorf("reading the header: %w", err)
			}
			continue
		}
		var seconds float64
		var event Event
		fields := []any{&seconds, &event.Kind, &event.Text}
		if err := json.Unmarshal(lines.Bytes(), &fields); err != nil || len(fields) != 3 {
			return cast, fmt.Errorf("line %d is no event: %s", number, lines.Text())
		}
		event.At = time.Duration(seconds * float64(time.Second)).Round(time.Millisecond)
		cast.Events = append(cast.Events, event)
	}
	if err := lines.Err(); err != nil {
		return cast, fmt.Errorf("reading the recording: %w", err)
	}
	if cast.Header.Version != 2 {
		return cast, fmt.Errorf("version %d of asciicast, and 2 is read", cast.Header.Version)
	}
	return cast, nil
}

// shown is the recording as a player shows it, without the pauses it cuts.
func (c Cast) shown() []Event {
	limit := time.Duration(c.Header.IdleTimeLimit * float64(time.Second))
	var last, cut time.Duration
	var out []Event
	for _, event := range c.Events {
		if pause := event.At - last; pause > limit {
			cut += pause - limit
		}
		last = event.At
		event.At -= cut
		out = append(out, event)
	}
	return out
}
