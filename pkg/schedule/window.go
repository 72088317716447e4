package schedule

import "time"

// Window is the part of each day in which a backlog is worked off. The zero
// value is the whole day.
type Window struct {
	// From and To are clock times, since midnight. From after To goes over
	// midnight.
	From, To time.Duration

	// Location is where the clock hangs; nil means time.Local.
	Location *time.Location
}

// Open reports whether t is in the window.
func (w Window) Open(t time.Time) bool {
	if w.From == w.To {
		return true
	}
	location := w.Location
	if location == nil {
		location = time.Local
	}
	t = t.In(location)
	clock := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	if w.From < w.To {
		return w.From <= clock && clock < w.To
	}
	return clock >= w.From || clock < w.To
}
