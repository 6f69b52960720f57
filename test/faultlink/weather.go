package faultlink

import (
	"math/rand/v2"
	"time"
)

// Weather is how a link carries what it carries, each way.
type Weather struct {
	Delay time.Duration // of everything
	// Loss is how often a chunk of up to 32 KiB is lost at first. TCP sends it again
	// and keeps back what follows, so that on a lossy link everything is late by Resend.
	Loss   float64
	Resend time.Duration // 200 ms if 0, the shortest that Linux waits
	Seed   uint64        // of the losses
}

const (
	chunkSize   = 32 << 10
	maxUnderWay = 64 // chunks of a connection, each way
	resend      = 200 * time.Millisecond
)

// chunk is what one read gave.
type chunk struct {
	data []byte
	read time.Time
	done chan struct{} // closed when nothing more happens with it
}

type weather struct {
	Weather
	rand *rand.Rand
}

// delay of the next chunk.
func (w *weather) delay() time.Duration {
	late := w.Delay
	if w.Loss > 0 && w.rand.Float64() < w.Loss {
		late += w.Resend
	}
	return late
}

// Set changes the link's weather, also for connections that are open. The zero
// value is that of a new link.
func (l *Link) Set(w Weather) {
	if w.Resend == 0 {
		w.Resend = resend
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.weather = weather{w, rand.New(rand.NewPCG(w.Seed, 0))}
}
