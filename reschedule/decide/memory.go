package decide

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// String is the memory as the annotation on a binding bears it: "2026-11-28T21:00:00Z cooldown=60s member1>member2=2". A move put back
// ends with "back". A member's name has neither ">" nor "=".
func (m Memory) String() string {
	parts := []string{m.At.UTC().Format(time.RFC3339), fmt.Sprintf("cooldown=%ds", int64(m.CoolDown.Seconds()))}
	for _, t := range m.Moved {
		parts = append(parts, fmt.Sprintf("%s>%s=%d", t.From, t.To, t.Replicas))
	}
	if m.Back {
		parts = append(parts, "back")
	}
	return strings.Join(parts, " ")
}

// Remember reads what String wrote. Nothing is the zero value.
func Remember(text string) (Memory, error) {
	var m Memory
	if text == "" {
		return m, nil
	}
	parts := strings.Fields(text)
	if len(parts) < 2 {
		return m, errors.New("want a time and a cool-down")
	}
	var err error
	if m.At, err = time.Parse(time.RFC3339, parts[0]); err != nil {
		return Memory{}, fmt.Errorf("reading the time of the last move: %w", err)
	}
	length, ok := strings.CutPrefix(parts[1], "cooldown=")
	if m.CoolDown, err = time.ParseDuration(length); !ok || err != nil || m.CoolDown < 0 {
		return Memory{}, fmt.Errorf("%q is no cool-down", parts[1])
	}
	for _, part := range parts[2:] {
		if part == "back" {
			m.Back = true
			continue
		}
		from, rest, okFrom := strings.Cut(part, ">")
		to, number, okTo := strings.Cut(rest, "=")
		n, err := strconv.ParseInt(number, 10, 32)
		if !okFrom || !okTo || err != nil || n < 1 {
			return Memory{}, fmt.Errorf("%q is no transfer", part)
		}
		m.Moved = append(m.Moved, Transfer{From: from, To: to, Replicas: int32(n)})
	}
	return m, nil
}
